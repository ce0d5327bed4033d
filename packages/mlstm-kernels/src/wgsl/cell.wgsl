// What the mLSTM kernels share; their text follows this one.

// Element (b, head, s, d) of an operand lies at offset + b*batch + head*head + s*step + d.
struct Layout { offset: u32, batch: u32, head: u32, step: u32 }

fn at(place: Layout, b: u32, head: u32, s: u32) -> u32 {
  return place.offset + b * place.batch + head * place.head + s * place.step;
}

// Pre-activations below this count as closed; keeps -inf out of differences of exponents. NaN stays NaN.
const CLOSED = -1e30;

fn bounded(x: f32) -> f32 { return select(x, CLOSED, x < CLOSED); }

// max that keeps a NaN in its first argument.
fn larger(a: f32, b: f32) -> f32 { return select(a, b, b > a); }

// log(sigmoid(x)) = min(x, 0) - log(1 + e), e = exp(-|x|). WGSL's log is only good to 2^-21 around 1, which would add
// up over a sequence; log(1 + e) = 2 atanh(z) with z = e / (2 + e) <= 1/3 converges fast.
fn log_sigmoid(x: f32) -> f32 {
  let e = exp(-abs(x));
  let z = e / (2.0 + e);
  let w = z * z;
  let series = 1.0 + w * (1.0 / 3.0 + w * (1.0 / 5.0 + w * (1.0 / 7.0 + w * (1.0 / 9.0 + w * (1.0 / 11.0
    + w * (1.0 / 13.0 + w * (1.0 / 15.0)))))));
  return min(x, 0.0) - 2.0 * z * series;
}

// The input gate's logarithm: i for the exponential gate, logsigmoid(i) for the sigmoid gate.
fn log_input_gate(x: f32, sigmoid: u32) -> f32 {
  let i = bounded(x);
  if (sigmoid != 0u) { return log_sigmoid(i); }
  return i;
}

fn log_forget_gate(x: f32) -> f32 { return log_sigmoid(bounded(x)); }

// numerator / (max(|denominator|, exp(-m)) + eps), or the numerator itself without normaliser.
fn normalized(numerator: f32, denominator: f32, m: f32, normalize: u32, eps: f32) -> f32 {
  if (normalize == 0u) { return numerator; }
  return numerator / (larger(abs(denominator), exp(-m)) + eps);
}
