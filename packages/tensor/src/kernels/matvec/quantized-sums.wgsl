// row-sums.wgsl for quantised weights: a lane takes every `lanes`-th chunk of 16 bytes (16 codes of q8, 32 of q4) of four
// weight rows. A chunk lies within one group, so it has one scale. K % 32 == 0.

// Weight rows row … row + N - 1 make columns column … column + N - 1 of y, whose rows are stride elements apart.
struct Params { M: u32, N: u32, K: u32, accumulate: u32, row: u32, column: u32, stride: u32, bits: u32, group: u32 }

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;      // [M, K / 4]
@group(0) @binding(1) var<storage, read> weight: array<vec4<u32>>; // [rows, K / 16], q4: [rows, K / 32]
@group(0) @binding(2) var<storage, read> bias: array<f32>;         // when HAS_BIAS
@group(0) @binding(3) var<storage, read_write> y: array<f32>;      // [M, stride]
@group(0) @binding(4) var<storage, read> scales: array<u32>;       // [rows, K / GROUP] fp16, two a word
@group(0) @binding(5) var<uniform> params: Params;

override WEIGHT_DTYPE: u32 = 3; // 3 q8, 4 q4
override HAS_BIAS: u32 = 0;
override GROUP: u32 = 32;       // elements of a row that share a scale
override ROWS: u32 = 1;         // M, as a constant: sums stay in registers
const MAX_ROWS = 8u;

alias Sums = array<vec4<f32>, MAX_ROWS>; // [m], a component a weight row

// An integer below 2^23 in the fraction of 2^23 is the float 2^23 + integer: no conversion, which GPUs do slowly.
const MAGIC = vec4(0x4b000000u);

// Four signed bytes, from the low one up.
fn bytes(word: u32) -> vec4<f32> {
  let biased = vec4(word ^ 0x80808080u) >> vec4(0u, 8u, 16u, 24u);
  return bitcast<vec4<f32>>((biased & vec4(0xffu)) | MAGIC) - vec4(8388608.0 + 128.0);
}

// Four nibbles, from bit 0 of the word up, each standing for itself minus 8.
fn nibbles(word: u32) -> vec4<f32> {
  let shifted = vec4(word) >> vec4(0u, 4u, 8u, 12u);
  return bitcast<vec4<f32>>((shifted & vec4(0xfu)) | MAGIC) - vec4(8388608.0 + 8.0);
}

fn scale_at(index: u32) -> f32 {
  let pair = unpack2x16float(scales[index / 2u]);
  return select(pair.x, pair.y, (index & 1u) == 1u);
}

// Four elements of four weight rows against x at vector `at` of each row of x.
fn add_four(w0: vec4<f32>, w1: vec4<f32>, w2: vec4<f32>, w3: vec4<f32>, at: u32, factors: vec4<f32>,
            sums: ptr<function, Sums>) {
  for (var m = 0u; m < ROWS; m++) {
    let xs = x[m * (params.K / 4u) + at];
    (*sums)[m] += factors * vec4(dot(w0, xs), dot(w1, xs), dot(w2, xs), dot(w3, xs));
  }
}

// A word of each of four weight rows, the `index`-th of their chunk.
fn add_word(w0: u32, w1: u32, w2: u32, w3: u32, chunk: u32, index: u32, factors: vec4<f32>, sums: ptr<function, Sums>) {
  if (WEIGHT_DTYPE == 3u) {
    add_four(bytes(w0), bytes(w1), bytes(w2), bytes(w3), chunk * 4u + index, factors, sums);
    return;
  }
  let at = chunk * 8u + index * 2u;
  add_four(nibbles(w0), nibbles(w1), nibbles(w2), nibbles(w3), at, factors, sums);
  add_four(nibbles(w0 >> 16u), nibbles(w1 >> 16u), nibbles(w2 >> 16u), nibbles(w3 >> 16u), at + 1u, factors, sums);
}

fn add_chunk(chunk: u32, w0: vec4<u32>, w1: vec4<u32>, w2: vec4<u32>, w3: vec4<u32>, factors: vec4<f32>,
             sums: ptr<function, Sums>) {
  add_word(w0.x, w1.x, w2.x, w3.x, chunk, 0u, factors, sums);
  add_word(w0.y, w1.y, w2.y, w3.y, chunk, 1u, factors, sums);
  add_word(w0.z, w1.z, w2.z, w3.z, chunk, 2u, factors, sums);
  add_word(w0.w, w1.w, w2.w, w3.w, chunk, 3u, factors, sums);
}

fn scales_at(rows: vec4<u32>, chunk: u32) -> vec4<f32> {
  let at = rows * (params.K / GROUP) + chunk * select(32u, 16u, WEIGHT_DTYPE == 3u) / GROUP;
  return vec4(scale_at(at.x), scale_at(at.y), scale_at(at.z), scale_at(at.w));
}

// Adds this lane's part of rows row … row + 3. Rows past the end repeat the last one; `store` drops them.
fn row_sums(row: u32, lane: u32, lanes: u32, sums: ptr<function, Sums>) {
  let chunks = params.K / select(32u, 16u, WEIGHT_DTYPE == 3u);
  let rows = min(vec4(row, row + 1u, row + 2u, row + 3u), vec4(params.N - 1u)) + params.row;
  let start = rows * chunks;
  // Eight loads of codes are under way before the first is used. Trip counts are the same for all lanes.
  let pairs = chunks - chunks % (2u * lanes);
  for (var base = 0u; base < pairs; base += 2u * lanes) {
    let c = base + lane;
    let d = c + lanes;
    let c0 = weight[start.x + c];
    let c1 = weight[start.y + c];
    let c2 = weight[start.z + c];
    let c3 = weight[start.w + c];
    let d0 = weight[start.x + d];
    let d1 = weight[start.y + d];
    let d2 = weight[start.z + d];
    let d3 = weight[start.w + d];
    let c_scales = scales_at(rows, c);
    let d_scales = scales_at(rows, d);
    add_chunk(c, c0, c1, c2, c3, c_scales, sums);
    add_chunk(d, d0, d1, d2, d3, d_scales, sums);
  }
  for (var base = pairs; base < chunks; base += lanes) {
    let c = base + lane;
    if (c < chunks) {
      let factors = scales_at(rows, c);
      add_chunk(c, weight[start.x + c], weight[start.y + c], weight[start.z + c], weight[start.w + c], factors, sums);
    }
  }
}

fn store(m: u32, n: u32, sum: f32) {
  if (n >= params.N) { return; }
  let at = m * params.stride + params.column + n;
  var value = sum;
  if (HAS_BIAS != 0u) { value += bias[params.column + n]; }
  if (params.accumulate != 0u) { value += y[at]; }
  y[at] = value;
}
