// What the two vector forms share; their texts come before this one.
// A lane takes every `lanes`-th chunk of 16 bytes (8 halves or 4 floats) of four weight rows, K % 8 == 0.

// Weight rows row … row + N - 1 make columns column … column + N - 1 of y, whose rows are stride elements apart.
struct Params { M: u32, N: u32, K: u32, accumulate: u32, row: u32, column: u32, stride: u32, bits: u32, group: u32 }

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;      // [M, K / 4]
@group(0) @binding(1) var<storage, read> weight: array<vec4<u32>>; // [N, K / 8], fp32: [N, K / 4]
@group(0) @binding(2) var<storage, read> bias: array<f32>;         // [N], when HAS_BIAS
@group(0) @binding(3) var<storage, read_write> y: array<f32>;      // [M, N]
@group(0) @binding(5) var<uniform> params: Params;

override WEIGHT_DTYPE: u32 = 0; // 0 fp32, 1 fp16, 2 bf16
override HAS_BIAS: u32 = 0;
override ROWS: u32 = 1;         // M, as a constant: sums stay in registers
const MAX_ROWS = 8u;

// Of eight elements the even and the odd ones, which is how they lie in words; of four floats all are "even".
struct Chunk { even: vec4<f32>, odd: vec4<f32> }

alias Sums = array<vec4<f32>, MAX_ROWS>; // [m], a component a weight row

fn decode(words: vec4<u32>) -> Chunk {
  if (WEIGHT_DTYPE == 2u) {
    return Chunk(bitcast<vec4<f32>>(words << vec4(16u)), bitcast<vec4<f32>>(words & vec4(0xffff0000u)));
  }
  if (WEIGHT_DTYPE == 1u) {
    let a = unpack2x16float(words.x);
    let b = unpack2x16float(words.y);
    let c = unpack2x16float(words.z);
    let d = unpack2x16float(words.w);
    return Chunk(vec4(a.x, b.x, c.x, d.x), vec4(a.y, b.y, c.y, d.y));
  }
  return Chunk(bitcast<vec4<f32>>(words), vec4(0.0));
}

fn load_x(m: u32, chunk: u32) -> Chunk {
  let start = m * (params.K / 4u);
  if (WEIGHT_DTYPE == 0u) { return Chunk(x[start + chunk], vec4(0.0)); }
  let a = x[start + 2u * chunk];
  let b = x[start + 2u * chunk + 1u];
  return Chunk(vec4(a.xz, b.xz), vec4(a.yw, b.yw));
}

fn product(a: Chunk, b: Chunk) -> f32 {
  if (WEIGHT_DTYPE == 0u) { return dot(a.even, b.even); }
  return dot(a.even, b.even) + dot(a.odd, b.odd);
}

fn add_chunk(chunk: u32, words0: vec4<u32>, words1: vec4<u32>, words2: vec4<u32>, words3: vec4<u32>,
             sums: ptr<function, Sums>) {
  let w0 = decode(words0);
  let w1 = decode(words1);
  let w2 = decode(words2);
  let w3 = decode(words3);
  for (var m = 0u; m < ROWS; m++) {
    let xs = load_x(m, chunk);
    (*sums)[m] += vec4(product(w0, xs), product(w1, xs), product(w2, xs), product(w3, xs));
  }
}

// Adds this lane's part of rows row … row + 3. Rows past the end repeat the last one; `store` drops them.
fn row_sums(row: u32, lane: u32, lanes: u32, sums: ptr<function, Sums>) {
  let chunks = params.K / select(8u, 4u, WEIGHT_DTYPE == 0u);
  let start = (min(vec4(row, row + 1u, row + 2u, row + 3u), vec4(params.N - 1u)) + params.row) * chunks;
  // Eight loads are under way before the first is used. Trip counts are the same for all lanes.
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
    add_chunk(c, c0, c1, c2, c3, sums);
    add_chunk(d, d0, d1, d2, d3, sums);
  }
  for (var base = pairs; base < chunks; base += lanes) {
    let c = base + lane;
    if (c < chunks) {
      add_chunk(c, weight[start.x + c], weight[start.y + c], weight[start.z + c], weight[start.w + c], sums);
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
