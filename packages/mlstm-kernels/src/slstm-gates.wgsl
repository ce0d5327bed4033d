// One unit of the sLSTM, which its forward and backward share; cell.wgsl comes before.

// min that keeps a NaN in its first argument.
fn smaller(a: f32, b: f32) -> f32 { return select(a, b, b < a); }

// sigmoid(x) without an overflow at either end.
fn sigmoid_of(x: f32) -> f32 {
  let e = exp(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

// tanh(x). WGSL's may overflow where |x| is large and is only good to an absolute error where it is small: there, the
// continued fraction x / (1 + w / (3 + w / (5 + ...))) with w = x*x.
fn tanh_of(x: f32) -> f32 {
  let w = x * x;
  if (w < 0.4) { return x / (1.0 + w / (3.0 + w / (5.0 + w / (7.0 + w / 9.0)))); }
  let e = exp(-2.0 * abs(x));
  return sign(x) * (1.0 - e) / (1.0 + e);
}

// 1 - tanh(x)^2.
fn tanh_slope(x: f32) -> f32 {
  let e = exp(-2.0 * abs(x));
  return 4.0 * e / ((1.0 + e) * (1.0 + e));
}

struct UnitGates { input: f32, forget: f32, m: f32, held: bool }

//   m' = max(i, logf + m), or i where n = 0;  input = min(exp(i - m'), 1);  forget = min(exp(logf + m - m'), 1)
fn unit_gates(i: f32, f: f32, n: f32, m: f32) -> UnitGates {
  let kept = log_sigmoid(f) + m;
  let next = select(larger(i, kept), i, n == 0.0);
  return UnitGates(exp(smaller(i - next, 0.0)), exp(smaller(kept - next, 0.0)), next, n == 0.0 && kept > i);
}
