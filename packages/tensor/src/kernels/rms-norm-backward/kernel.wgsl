// dx (+)= r * (g - n * mean(g * n)), g = dy * weight, n = x * r, r = rsqrt(mean(x^2) + eps); LANES invocations a row.

struct Params { rows: u32, D: u32, eps: f32, accumulate: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;           // [rows, D]
@group(0) @binding(1) var<storage, read> weight: array<f32>;      // [D]
@group(0) @binding(2) var<storage, read> dy: array<f32>;          // [rows, D]
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;    // [rows, D], when HAS_DX
@group(0) @binding(4) var<storage, read_write> stats: array<f32>; // [rows, 2]: 0 and r, when HAS_STATS
@group(0) @binding(5) var<uniform> params: Params;

override HAS_DX: u32 = 0;
override HAS_STATS: u32 = 0;
// Powers of two. With one lane there is no barrier, which suits software adapters.
override LANES: u32 = 256;
override ROWS: u32 = 1;
override THREADS: u32 = LANES * ROWS;
// Terms that a lane adds up before it adds them to its total: keeps the digits of a long row.
const BLOCK = 16u;

var<workgroup> shares: array<vec2<f32>, THREADS>;

fn total(thread: u32, own: vec2<f32>) -> vec2<f32> {
  shares[thread] = own;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread % LANES < half) { shares[thread] += shares[thread + half]; }
  }
  if (LANES > 1u) { workgroupBarrier(); }
  return shares[thread - thread % LANES];
}

@compute @workgroup_size(THREADS)
fn rms_norm_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                     @builtin(local_invocation_index) thread: u32) {
  let row = (group.x + group.y * groups.x) * ROWS + thread / LANES;
  let lane = thread % LANES;
  let start = row * params.D;
  // Every invocation takes part in the barriers; rows past the end have no columns.
  let D = select(0u, params.D, row < params.rows);

  var sums = vec2(0.0);
  for (var block = 0u; block < D; block += LANES * BLOCK) {
    var part = vec2(0.0);
    for (var d = block + lane; d < min(D, block + LANES * BLOCK); d += LANES) {
      let value = x[start + d];
      part += vec2(value * value, dy[start + d] * weight[d] * value);
    }
    sums += part;
  }
  let means = total(thread, sums) / f32(params.D);
  let scale = inverseSqrt(means.x + params.eps);
  let pull = means.y * scale * scale;

  if (HAS_DX != 0u) {
    for (var d = lane; d < D; d += LANES) {
      var value = scale * (dy[start + d] * weight[d] - x[start + d] * pull);
      if (params.accumulate != 0u) { value += dx[start + d]; }
      dx[start + d] = value;
    }
  }
  if (HAS_STATS != 0u && lane == 0u && row < params.rows) {
    stats[2u * row] = 0.0;
    stats[2u * row + 1u] = scale;
  }
}
