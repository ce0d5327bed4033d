// y [M, N] (+)= x [M, K] * weight [N, K]^T (+ bias [N]) for M <= 8 and any K: rows of 16-bit weights may begin in the
// middle of a word. 32 invocations make one output, a workgroup four.

// Weight rows row … row + N - 1 make columns column … column + N - 1 of y, whose rows are stride elements apart.
struct Params { M: u32, N: u32, K: u32, accumulate: u32, row: u32, column: u32, stride: u32, bits: u32, group: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;       // [M, K]
@group(0) @binding(1) var<storage, read> weight: array<u32>;  // [N, K], two 16-bit elements or one float a word
@group(0) @binding(2) var<storage, read> bias: array<f32>;    // [N], when HAS_BIAS
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [M, N]
@group(0) @binding(5) var<uniform> params: Params;

override WEIGHT_DTYPE: u32 = 0; // 0 fp32, 1 fp16, 2 bf16
override HAS_BIAS: u32 = 0;
override ROWS: u32 = 1;         // M, as a constant: sums stay in registers
const MAX_ROWS = 8u;
const THREADS = 128u;
const LANES = 32u;

var<workgroup> partial: array<f32, THREADS>;

fn weight_at(element: u32) -> f32 {
  if (WEIGHT_DTYPE == 0u) { return bitcast<f32>(weight[element]); }
  let word = weight[element / 2u];
  let odd = (element & 1u) == 1u;
  if (WEIGHT_DTYPE == 1u) {
    let pair = unpack2x16float(word);
    return select(pair.x, pair.y, odd);
  }
  return bitcast<f32>(select(word << 16u, word & 0xffff0000u, odd));
}

@compute @workgroup_size(THREADS)
fn matvec(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
          @builtin(local_invocation_index) thread: u32) {
  let lane = thread % LANES;
  let n = (group.x + group.y * groups.x) * (THREADS / LANES) + thread / LANES;
  // Rows past the end repeat the last one and are not stored.
  let start = (min(n, params.N - 1u) + params.row) * params.K;
  var sums: array<f32, MAX_ROWS>;
  for (var k = lane; k < params.K; k += LANES) {
    let w = weight_at(start + k);
    for (var m = 0u; m < ROWS; m++) { sums[m] += w * x[m * params.K + k]; }
  }
  for (var m = 0u; m < ROWS; m++) {
    workgroupBarrier(); // the row before has been read
    partial[thread] = sums[m];
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if (lane < half) { partial[thread] += partial[thread + half]; }
    }
    if (lane == 0u && n < params.N) {
      let at = m * params.stride + params.column + n;
      var value = partial[thread];
      if (HAS_BIAS != 0u) { value += bias[params.column + n]; }
      if (params.accumulate != 0u) { value += y[at]; }
      y[at] = value;
    }
  }
}
