// y = x * rsqrt(mean(x^2) + eps) * weight (+ bias), one workgroup a row.

struct Params { rows: u32, D: u32, eps: f32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;       // [rows, D]
@group(0) @binding(1) var<storage, read> weight: array<f32>;  // [D]
@group(0) @binding(2) var<storage, read> bias: array<f32>;    // [D], when HAS_BIAS
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [rows, D]
@group(0) @binding(4) var<uniform> params: Params;

override HAS_BIAS: u32 = 0;
const THREADS = 256u;

var<workgroup> partial: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn rms_norm(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) thread: u32) {
  let row = group.x + group.y * groups.x;
  // Every invocation takes part in the barriers; rows past the end only skip loads and stores.
  let start = row * params.D;
  var squares = 0.0;
  if (row < params.rows) {
    for (var d = thread; d < params.D; d += THREADS) {
      let value = x[start + d];
      squares += value * value;
    }
  }
  partial[thread] = squares;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { partial[thread] += partial[thread + half]; }
  }
  workgroupBarrier();
  if (row >= params.rows) { return; }
  let scale = inverseSqrt(partial[0] / f32(params.D) + params.eps);
  for (var d = thread; d < params.D; d += THREADS) {
    var value = x[start + d] * scale * weight[d];
    if (HAS_BIAS != 0u) { value += bias[d]; }
    y[start + d] = value;
  }
}
