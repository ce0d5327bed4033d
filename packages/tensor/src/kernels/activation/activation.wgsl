// Prelude of the kernels with an activation function: its value and its slope.

override ACTIVATION: u32 = 0; // 0 silu, 1 exact gelu

struct Activated { value: f32, slope: f32 }

// x * sigmoid(x). exp never overflows here, whatever x; NaN stays NaN.
fn silu(x: f32) -> Activated {
  let e = exp(-abs(x));
  let open = select(1.0, e, x < 0.0) / (1.0 + e);
  let closed = select(e, 1.0, x < 0.0) / (1.0 + e);
  return Activated(x * open, open * (1.0 + x * closed));
}

// exp(-m * m / 2) for 0 <= m <= 13, to about one unit in the last place, which the built-in does not promise. m splits
// into 12 leading bits, whose square is exact, and the rest; then exp(a) = 2^k * exp(r).
fn gaussian(m: f32) -> f32 {
  let leading = bitcast<f32>(bitcast<u32>(m) & 0xfffff000u);
  let a = -0.5 * leading * leading;
  let k = round(a * 1.44269504);
  let r = ((a - k * 0.693359375) + k * 2.12194440e-4) - 0.5 * (m - leading) * (m + leading);
  let p = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 +
    r * (1.0 / 5040.0)))))));
  return p * bitcast<f32>(u32(i32(k) + 127) << 23u);
}

// exp(t * t) * erfc(t) for 0 <= t <= 9.2: a Chebyshev fit in u = (t - 2) / (t + 2), whose own error is 6e-8.
fn scaledErfc(t: f32) -> f32 {
  let u = (t - 2.0) / (t + 2.0);
  let p = 1.02158272 + u * (-0.68716091 + u * (0.27947256 + u * (-0.036436610 + u * (-0.021513911 + u * (0.0064360127 +
    u * (0.0030820440 + u * (-0.00071266096 + u * (-0.00057381531 + u * -0.000076260905))))))));
  return p / (t + 2.0);
}

// x * Phi(x) with the normal distribution's Phi(x) = erfc(-x / sqrt(2)) / 2. From 13 on, Phi is 0 or 1 in float32.
fn gelu(x: f32) -> Activated {
  let m = abs(x);
  if (m > 13.0) { return Activated(select(x, 0.0, x < 0.0), select(1.0, 0.0, x < 0.0)); }
  let e = gaussian(m);
  let tail = 0.5 * e * scaledErfc(m * 0.707106781);
  let phi = select(1.0 - tail, tail, x < 0.0);
  return Activated(x * phi, phi + x * e * 0.398942280);
}

fn activate(x: f32) -> Activated {
  if (ACTIVATION == 1u) { return gelu(x); }
  return silu(x);
}
