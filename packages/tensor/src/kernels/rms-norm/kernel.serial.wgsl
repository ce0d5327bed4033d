// y = x * rsqrt(mean(x^2) + eps) * weight (+ bias), an invocation a row, without barriers: for software adapters.

struct Params { rows: u32, D: u32, eps: f32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;       // [rows, D]
@group(0) @binding(1) var<storage, read> weight: array<f32>;  // [D]
@group(0) @binding(2) var<storage, read> bias: array<f32>;    // [D], when HAS_BIAS
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [rows, D]
@group(0) @binding(4) var<uniform> params: Params;

override HAS_BIAS: u32 = 0;
const THREADS = 4u;

@compute @workgroup_size(THREADS)
fn rms_norm(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) thread: u32) {
  let row = (group.x + group.y * groups.x) * THREADS + thread;
  if (row >= params.rows) { return; }
  let start = row * params.D;
  let whole = params.D - params.D % 4u;
  // Four sums: a single one would lose more digits on a long row.
  var squares = vec4(0.0);
  for (var d = 0u; d < whole; d += 4u) {
    let at = start + d;
    let values = vec4(x[at], x[at + 1u], x[at + 2u], x[at + 3u]);
    squares += values * values;
  }
  for (var d = whole; d < params.D; d++) { squares.x += x[start + d] * x[start + d]; }
  let mean = ((squares.x + squares.y) + (squares.z + squares.w)) / f32(params.D);
  let scale = inverseSqrt(mean + params.eps);
  for (var d = 0u; d < params.D; d++) {
    var value = x[start + d] * scale * weight[d];
    if (HAS_BIAS != 0u) { value += bias[d]; }
    y[start + d] = value;
  }
}
