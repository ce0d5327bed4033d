// y = (x - mean) * rsqrt(var + eps) * (weightOffset + weight) (+ bias) (* sigmoid(gate)), one workgroup a head of a
// row.

struct Params { rows: u32, NH: u32, DH: u32, eps: f32, weightOffset: f32, gateOffset: u32, gateStride: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;       // [rows, NH * DH]
@group(0) @binding(1) var<storage, read> weight: array<f32>;  // [NH * DH]
@group(0) @binding(2) var<storage, read> bias: array<f32>;    // [NH * DH], when HAS_BIAS
@group(0) @binding(3) var<storage, read> gate: array<f32>;    // rows of NH * DH at gateStride, when HAS_GATE
@group(0) @binding(4) var<storage, read_write> y: array<f32>; // [rows, NH * DH]
@group(0) @binding(5) var<uniform> params: Params;

override HAS_BIAS: u32 = 0;
override HAS_GATE: u32 = 0;
// A power of two, no larger than heads need: small heads leave no invocations idle.
override THREADS: u32 = 256;

var<workgroup> partial: array<f32, THREADS>;

fn total(thread: u32, own: f32) -> f32 {
  // The previous total must be read by all before it is overwritten.
  workgroupBarrier();
  partial[thread] = own;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { partial[thread] += partial[thread + half]; }
  }
  workgroupBarrier();
  return partial[0];
}

// exp never overflows here, whatever the gate; NaN stays NaN.
fn sigmoid(value: f32) -> f32 {
  let e = exp(-abs(value));
  return select(1.0, e, value < 0.0) / (1.0 + e);
}

@compute @workgroup_size(THREADS)
fn head_layer_norm(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                   @builtin(local_invocation_index) thread: u32) {
  let index = group.x + group.y * groups.x;
  // Workgroups past the end leave as a whole, before any barrier.
  if (index >= params.rows * params.NH) { return; }
  let row = index / params.NH;
  let column = (index % params.NH) * params.DH;
  let start = index * params.DH;

  var sum = 0.0;
  for (var d = thread; d < params.DH; d += THREADS) { sum += x[start + d]; }
  let mean = total(thread, sum) / f32(params.DH);

  var squares = 0.0;
  for (var d = thread; d < params.DH; d += THREADS) {
    let centred = x[start + d] - mean;
    squares += centred * centred;
  }
  let scale = inverseSqrt(total(thread, squares) / f32(params.DH) + params.eps);

  let gateStart = params.gateOffset + row * params.gateStride + column;
  for (var d = thread; d < params.DH; d += THREADS) {
    var value = (x[start + d] - mean) * scale * (params.weightOffset + weight[column + d]);
    if (HAS_BIAS != 0u) { value += bias[column + d]; }
    if (HAS_GATE != 0u) { value *= sigmoid(gate[gateStart + d]); }
    y[start + d] = value;
  }
}
