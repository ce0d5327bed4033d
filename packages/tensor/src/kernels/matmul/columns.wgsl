// What `direct` of matmul and `serial` of matvec share; their entry points precede it. K % 4 == 0.
// An invocation makes eight columns of up to eight rows, without workgroup memory and barriers. A software adapter runs
// a subgroup as one vector a scalar: its lanes read the same x at once, and each its own weights, for all rows.

// Weight rows row … row + N - 1 make columns column … column + N - 1 of y, whose rows are stride elements apart.
struct Params { M: u32, N: u32, K: u32, accumulate: u32, row: u32, column: u32, stride: u32, bits: u32, group: u32 }

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;      // [M, K / 4]
@group(0) @binding(1) var<storage, read> weight: array<vec2<u32>>; // [N, K / 4], fp32: [N, K / 2], q8: [N, K / 8], q4: [N, K / 16]
@group(0) @binding(2) var<storage, read> bias: array<f32>;         // [N], when HAS_BIAS
@group(0) @binding(3) var<storage, read_write> y: array<f32>;      // [M, N]
@group(0) @binding(4) var<storage, read> scales: array<u32>;       // [N, K / GROUP] fp16, two a word, when quantised
@group(0) @binding(5) var<uniform> params: Params;

override WEIGHT_DTYPE: u32 = 0; // 0 fp32, 1 fp16, 2 bf16, 3 q8, 4 q4
override GROUP: u32 = 32;       // elements of a row that share a scale
override HAS_BIAS: u32 = 0;
override ROWS: u32 = 8;         // 1, 2, 4 or 8
const THREADS = 8u;
const COLUMNS = 8u;             // of an invocation, THREADS apart

// Four k of eight columns.
struct Weights { a: mat4x4<f32>, b: mat4x4<f32> }

// The eight sums of a row.
struct Sums { a: vec4<f32>, b: vec4<f32> }

// The same elements of a quantised row: a word of q8, half a word of q4.
fn quantized_at(row: u32, k: u32) -> vec4<f32> {
  let place = row * (params.K / 4u) + k;
  let at = row * (params.K / GROUP) + 4u * k / GROUP;
  let scale = unpack2x16float(scales[at / 2u])[at % 2u];
  if (WEIGHT_DTYPE == 3u) {
    let word = bitcast<i32>(weight[place / 2u][place % 2u]);
    return scale * vec4<f32>((vec4(word) << vec4(24u, 16u, 8u, 0u)) >> vec4(24u));
  }
  let half = weight[place / 4u][place / 2u % 2u] >> (place % 2u * 16u);
  return scale * (vec4<f32>((vec4(half) >> vec4(0u, 4u, 8u, 12u)) & vec4(0xfu)) - 8.0);
}

// Elements 4 k … 4 k + 3 of a weight row.
fn weights_at(row: u32, k: u32) -> vec4<f32> {
  if (WEIGHT_DTYPE >= 3u) { return quantized_at(row, k); }
  if (WEIGHT_DTYPE == 0u) {
    let place = (row * (params.K / 4u) + k) * 2u;
    return bitcast<vec4<f32>>(vec4(weight[place], weight[place + 1u]));
  }
  let words = weight[row * (params.K / 4u) + k];
  if (WEIGHT_DTYPE == 1u) { return vec4(unpack2x16float(words.x), unpack2x16float(words.y)); }
  return bitcast<vec4<f32>>(vec4(words.x << 16u, words.x & 0xffff0000u, words.y << 16u, words.y & 0xffff0000u));
}

fn add(sums: Sums, xs: vec4<f32>, w: Weights) -> Sums { return Sums(sums.a + xs * w.a, sums.b + xs * w.b); }

fn store_column(m: u32, n: u32, sum: f32) {
  if (m >= params.M || n >= params.N) { return; }
  let at = m * params.stride + params.column + n;
  var value = sum;
  if (HAS_BIAS != 0u) { value += bias[params.column + n]; }
  if (params.accumulate != 0u) { value += y[at]; }
  y[at] = value;
}

fn store(m: u32, n: u32, sums: Sums) {
  for (var c = 0u; c < 4u; c++) {
    store_column(m, n + c * THREADS, sums.a[c]);
    store_column(m, n + (c + 4u) * THREADS, sums.b[c]);
  }
}

// Rows m … m + ROWS - 1, columns n, n + THREADS, …; those past the ends repeat the last one and are not stored.
fn columns(m: u32, n: u32) {
  let chunks = params.K / 4u;
  let last = vec4(params.N - 1u);
  let na = min(vec4(n, n + THREADS, n + 2u * THREADS, n + 3u * THREADS), last) + params.row;
  let nb = min(vec4(n + 4u * THREADS, n + 5u * THREADS, n + 6u * THREADS, n + 7u * THREADS), last) + params.row;
  let xa = min(vec4(m, m + 1u, m + 2u, m + 3u), vec4(params.M - 1u)) * chunks;
  let xb = min(vec4(m + 4u, m + 5u, m + 6u, m + 7u), vec4(params.M - 1u)) * chunks;
  var s0: Sums; var s1: Sums; var s2: Sums; var s3: Sums;
  var s4: Sums; var s5: Sums; var s6: Sums; var s7: Sums;
  for (var k = 0u; k < chunks; k++) {
    let w = Weights(
      mat4x4(weights_at(na.x, k), weights_at(na.y, k), weights_at(na.z, k), weights_at(na.w, k)),
      mat4x4(weights_at(nb.x, k), weights_at(nb.y, k), weights_at(nb.z, k), weights_at(nb.w, k)),
    );
    s0 = add(s0, x[xa.x + k], w);
    if (ROWS > 1u) { s1 = add(s1, x[xa.y + k], w); }
    if (ROWS > 2u) {
      s2 = add(s2, x[xa.z + k], w);
      s3 = add(s3, x[xa.w + k], w);
    }
    if (ROWS > 4u) {
      s4 = add(s4, x[xb.x + k], w);
      s5 = add(s5, x[xb.y + k], w);
      s6 = add(s6, x[xb.z + k], w);
      s7 = add(s7, x[xb.w + k], w);
    }
  }
  let rows = array<Sums, 8>(s0, s1, s2, s3, s4, s5, s6, s7);
  for (var r = 0u; r < ROWS; r++) { store(m + r, n, rows[r]); }
}
