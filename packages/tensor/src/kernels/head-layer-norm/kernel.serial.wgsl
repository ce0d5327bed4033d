// y = (x - mean) * rsqrt(var + eps) * (weightOffset + weight) (+ bias) (* sigmoid(gate)), an invocation a head of a row,
// without barriers: for software adapters.

struct Params { rows: u32, NH: u32, DH: u32, eps: f32, weightOffset: f32, gateOffset: u32, gateStride: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;       // [rows, NH * DH]
@group(0) @binding(1) var<storage, read> weight: array<f32>;  // [NH * DH]
@group(0) @binding(2) var<storage, read> bias: array<f32>;    // [NH * DH], when HAS_BIAS
@group(0) @binding(3) var<storage, read> gate: array<f32>;    // rows of NH * DH at gateStride, when HAS_GATE
@group(0) @binding(4) var<storage, read_write> y: array<f32>; // [rows, NH * DH]
@group(0) @binding(5) var<uniform> params: Params;

override HAS_BIAS: u32 = 0;
override HAS_GATE: u32 = 0;
const THREADS = 4u;

// exp never overflows here, whatever the gate; NaN stays NaN.
fn sigmoid(value: f32) -> f32 {
  let e = exp(-abs(value));
  return select(1.0, e, value < 0.0) / (1.0 + e);
}

fn mean_of(sums: vec4<f32>) -> f32 { return ((sums.x + sums.y) + (sums.z + sums.w)) / f32(params.DH); }

@compute @workgroup_size(THREADS)
fn head_layer_norm(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                   @builtin(local_invocation_index) thread: u32) {
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  if (index >= params.rows * params.NH) { return; }
  let row = index / params.NH;
  let column = (index % params.NH) * params.DH;
  let start = index * params.DH;
  let whole = params.DH - params.DH % 4u;

  // Four sums: a single one would lose more digits on a wide head.
  var sums = vec4(0.0);
  for (var d = 0u; d < whole; d += 4u) {
    let at = start + d;
    sums += vec4(x[at], x[at + 1u], x[at + 2u], x[at + 3u]);
  }
  for (var d = whole; d < params.DH; d++) { sums.x += x[start + d]; }
  let mean = mean_of(sums);

  sums = vec4(0.0);
  for (var d = 0u; d < whole; d += 4u) {
    let at = start + d;
    let centred = vec4(x[at], x[at + 1u], x[at + 2u], x[at + 3u]) - mean;
    sums += centred * centred;
  }
  for (var d = whole; d < params.DH; d++) { sums.x += (x[start + d] - mean) * (x[start + d] - mean); }
  let scale = inverseSqrt(mean_of(sums) + params.eps);

  let gateStart = params.gateOffset + row * params.gateStride + column;
  for (var d = 0u; d < params.DH; d++) {
    var value = (x[start + d] - mean) * scale * (params.weightOffset + weight[column + d]);
    if (HAS_BIAS != 0u) { value += bias[column + d]; }
    if (HAS_GATE != 0u) { value *= sigmoid(gate[gateStart + d]); }
    y[start + d] = value;
  }
}
