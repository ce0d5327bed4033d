// Per row of logits z [rows, V], s = cap * tanh(z / cap) or z:
//   losses = log(sum_v exp(s_v)) - s_target,
//   z <- (softmax(s)_v - [v = target]) * (1 - (s_v / cap)^2) * scale / count, when GRADIENT.
// One workgroup a row. Ignored rows give 0, rows with a target outside 0 ... V - 1 give NaN.

struct Params { rows: u32, V: u32, first: u32, ignoreIndex: i32, softCap: f32 }

@group(0) @binding(0) var<storage, read_write> logits: array<f32>; // [rows, V]
@group(0) @binding(1) var<storage, read> targets: array<i32>;      // of row r: first + r
@group(0) @binding(2) var<storage, read_write> losses: array<f32>; // of row r: first + r
@group(0) @binding(3) var<storage, read> count: array<f32>;        // [1], when GRADIENT
@group(0) @binding(4) var<storage, read> scale: array<f32>;        // [1], when HAS_SCALE
@group(0) @binding(5) var<uniform> params: Params;

override GRADIENT: u32 = 0;
override HAS_SCALE: u32 = 0;
override THREADS: u32 = 256; // a power of two

const LOWEST = -3.4028234e38;
const NOT_A_NUMBER = 0x7fc00000u;

var<workgroup> maxima: array<f32, THREADS>;
var<workgroup> sums: array<f32, THREADS>; // of exp(s - the maximum beside it)

struct Capped { value: f32, slope: f32 }

// s and ds/dz = sech^2(z / cap). Neither overflows, and neither loses its digits to a difference.
fn capped(z: f32) -> Capped {
  if (params.softCap <= 0.0) { return Capped(z, 1.0); }
  let a = z / params.softCap;
  let e = exp(-2.0 * abs(a));
  var t = select(1.0, -1.0, a < 0.0) * (1.0 - e) / (1.0 + e);
  if (abs(a) < 0.25) {
    let q = a * a;
    t = a * (1.0 + q * (-1.0 / 3.0 + q * (2.0 / 15.0 + q * (-17.0 / 315.0 + q * (62.0 / 2835.0)))));
  }
  return Capped(params.softCap * t, 4.0 * e / ((1.0 + e) * (1.0 + e)));
}

// Written through a variable: a constant NaN is an error in WGSL.
fn not_a_number() -> f32 {
  var bits = NOT_A_NUMBER;
  return bitcast<f32>(bits);
}

// NaN, or an infinity that no cap bounds: no softmax is defined. By its bits, since exp of NaN is a number on some adapters.
fn is_bad(z: f32) -> bool {
  let bits = bitcast<u32>(z);
  return (bits & 0x7fffffffu) > 0x7f800000u || (bits == 0x7f800000u && params.softCap <= 0.0);
}

@compute @workgroup_size(THREADS)
fn cross_entropy(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                 @builtin(local_invocation_index) thread: u32) {
  let row = group.x + group.y * groups.x;
  if (row >= params.rows) { return; }
  let start = row * params.V;
  // The largest element and the sum of exponentials in one pass: a new largest rescales the sum.
  var most = LOWEST;
  var sum = 0.0;
  var bad_logits = false;
  for (var v = thread; v < params.V; v += THREADS) {
    let z = logits[start + v];
    bad_logits = bad_logits || is_bad(z);
    let s = capped(z).value;
    if (s > most) {
      sum = sum * exp(most - s) + 1.0;
      most = s;
    } else {
      sum += exp(s - most);
    }
  }
  maxima[thread] = most;
  sums[thread] = sum;
  if (bad_logits) {
    maxima[thread] = 0.0;
    sums[thread] = not_a_number();
  }
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) {
      let a = maxima[thread];
      let b = maxima[thread + half];
      let larger = select(a, b, b > a);
      sums[thread] = sums[thread] * exp(a - larger) + sums[thread + half] * exp(b - larger);
      maxima[thread] = larger;
    }
  }
  workgroupBarrier();
  most = maxima[0];
  sum = sums[0];
  let id = targets[params.first + row];
  let ignored = id == params.ignoreIndex;
  // A negative id becomes a large unsigned one: one comparison covers both ends. Sums and products keep NaN; a sum of 0
  // comes of a row of nothing but -infinity.
  let outside = u32(id) >= params.V;
  let bad = !ignored && (outside || is_bad(sum) || sum == 0.0);
  if (thread == 0u) {
    var loss = 0.0;
    if (bad) {
      loss = not_a_number();
    } else if (!ignored) {
      // The difference first: for a sure prediction it is exactly 0, whatever the size of the logits.
      loss = (most - capped(logits[start + u32(id)]).value) + log(sum);
    }
    losses[params.first + row] = loss;
  }
  if (GRADIENT == 0u) { return; }
  // The target's logit has been read.
  storageBarrier();
  workgroupBarrier();
  var factor = 1.0 / count[0];
  if (HAS_SCALE != 0u) { factor *= scale[0]; }
  for (var v = thread; v < params.V; v += THREADS) {
    var gradient = 0.0;
    if (bad) {
      gradient = not_a_number();
    } else if (!ignored) {
      let s = capped(logits[start + v]);
      gradient = (exp(s.value - most) / sum - select(0.0, 1.0, v == u32(id))) * s.slope * factor;
    }
    logits[start + v] = gradient;
  }
}
