// y [M, N] (+)= x [M, K] * weight [N, K]^T (+ bias [N]), float32 sums.
// A workgroup makes a tile of 64 rows (m) by 128 columns (n), an invocation 4 by 8 of it. K goes by in steps of 16,
// staged in workgroup memory with four rows side by side in a vec4, so that an invocation reads whole vectors.

// Weight rows row … row + N - 1 make columns column … column + N - 1 of y, whose rows are stride elements apart.
struct Params { M: u32, N: u32, K: u32, accumulate: u32, row: u32, column: u32, stride: u32, bits: u32, group: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;       // [M, K]
@group(0) @binding(1) var<storage, read> weight: array<u32>;  // [N, K], a float, two halves, four codes of q8 or eight of q4 a word
@group(0) @binding(2) var<storage, read> bias: array<f32>;    // [N], when HAS_BIAS
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [M, N]
@group(0) @binding(4) var<storage, read> scales: array<u32>;  // [N, K / GROUP] fp16, two a word, when quantised
@group(0) @binding(5) var<uniform> params: Params;

override WEIGHT_DTYPE: u32 = 0; // 0 fp32, 1 fp16, 2 bf16, 3 q8, 4 q4
override GROUP: u32 = 32;       // elements of a row that share a scale
override HAS_BIAS: u32 = 0;

const THREADS = 256u;
const TILE_M = 64u;
const TILE_N = 128u;
const TILE_K = 16u;
// One vector more than a step needs: stores of neighbouring k then fall into different banks.
const X_STRIDE = TILE_M / 4u + 1u;
const W_STRIDE = TILE_N / 4u + 1u;

var<workgroup> x_tile: array<vec4<f32>, TILE_K * X_STRIDE>; // [k, m / 4]
var<workgroup> w_tile: array<vec4<f32>, TILE_K * W_STRIDE>; // [k, n / 4]

fn quantized_at(element: u32) -> f32 {
  let at = element / GROUP;
  let scale = unpack2x16float(scales[at / 2u])[at % 2u];
  if (WEIGHT_DTYPE == 3u) {
    return scale * f32(extractBits(bitcast<i32>(weight[element / 4u]), 8u * (element % 4u), 8u));
  }
  return scale * (f32(extractBits(weight[element / 8u], 4u * (element % 8u), 4u)) - 8.0);
}

fn weight_at(element: u32) -> f32 {
  if (WEIGHT_DTYPE >= 3u) { return quantized_at(element); }
  if (WEIGHT_DTYPE == 0u) { return bitcast<f32>(weight[element]); }
  let word = weight[element / 2u];
  let odd = (element & 1u) == 1u;
  if (WEIGHT_DTYPE == 1u) {
    let pair = unpack2x16float(word);
    return select(pair.x, pair.y, odd);
  }
  return bitcast<f32>(select(word << 16u, word & 0xffff0000u, odd));
}

// Four rows of x at one k. Rows past the end repeat the last one, whose sums nobody stores; k past the end adds zeros.
fn load_x(row: u32, k: u32) -> vec4<f32> {
  if (k >= params.K) { return vec4(0.0); }
  let at = min(vec4(row, row + 1u, row + 2u, row + 3u), vec4(params.M - 1u)) * params.K + k;
  return vec4(x[at.x], x[at.y], x[at.z], x[at.w]);
}

fn load_weight(row: u32, k: u32) -> vec4<f32> {
  if (k >= params.K) { return vec4(0.0); }
  let at = (min(vec4(row, row + 1u, row + 2u, row + 3u), vec4(params.N - 1u)) + params.row) * params.K + k;
  return vec4(weight_at(at.x), weight_at(at.y), weight_at(at.z), weight_at(at.w));
}

fn store(m: u32, n: u32, sums: vec4<f32>) {
  if (m >= params.M) { return; }
  for (var i = 0u; i < 4u; i++) {
    if (n + i < params.N) {
      let at = m * params.stride + params.column + n + i;
      var value = sums[i];
      if (HAS_BIAS != 0u) { value += bias[params.column + n + i]; }
      if (params.accumulate != 0u) { value += y[at]; }
      y[at] = value;
    }
  }
}

@compute @workgroup_size(THREADS)
fn matmul(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  // Tiles of one n follow each other, so that its weights are still in the cache for the next m.
  let m_tile = group.x * TILE_M;
  let n_tile = group.y * TILE_N;
  // Neighbouring invocations load neighbouring k of the same four rows.
  let load_k = thread % TILE_K;
  let load_row = thread / TILE_K;
  let load_m = m_tile + load_row * 4u;
  let load_n = n_tile + load_row * 4u;
  let column = thread % 16u;
  let row = thread / 16u;

  var a0 = vec4(0.0); var a1 = vec4(0.0); var a2 = vec4(0.0); var a3 = vec4(0.0); // columns n_tile + 4 column …
  var b0 = vec4(0.0); var b1 = vec4(0.0); var b2 = vec4(0.0); var b3 = vec4(0.0); // and 64 further on

  // Each step's loads are on their way while the step before is summed.
  var next_x = load_x(load_m, load_k);
  var next_a = load_weight(load_n, load_k);
  var next_b = load_weight(load_n + 64u, load_k);
  for (var k = 0u; k < params.K; k += TILE_K) {
    workgroupBarrier();
    x_tile[load_k * X_STRIDE + load_row] = next_x;
    w_tile[load_k * W_STRIDE + load_row] = next_a;
    w_tile[load_k * W_STRIDE + load_row + 16u] = next_b;
    workgroupBarrier();
    next_x = load_x(load_m, k + TILE_K + load_k);
    next_a = load_weight(load_n, k + TILE_K + load_k);
    next_b = load_weight(load_n + 64u, k + TILE_K + load_k);
    for (var i = 0u; i < TILE_K; i++) {
      let xs = x_tile[i * X_STRIDE + row];
      let wa = w_tile[i * W_STRIDE + column];
      let wb = w_tile[i * W_STRIDE + column + 16u];
      a0 += xs.x * wa; b0 += xs.x * wb;
      a1 += xs.y * wa; b1 += xs.y * wb;
      a2 += xs.z * wa; b2 += xs.z * wb;
      a3 += xs.w * wa; b3 += xs.w * wb;
    }
  }
  let m = m_tile + row * 4u;
  let n = n_tile + column * 4u;
  store(m, n, a0); store(m, n + 64u, b0);
  store(m + 1u, n, a1); store(m + 1u, n + 64u, b1);
  store(m + 2u, n, a2); store(m + 2u, n + 64u, b2);
  store(m + 3u, n, a3); store(m + 3u, n + 64u, b3);
}
