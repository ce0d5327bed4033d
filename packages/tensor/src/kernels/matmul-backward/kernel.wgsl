// y [splits, R, C] (+)= a [R, inner] * b [inner, C], or a [inner, R]^T * b when TRANSPOSED, float32 sums.
// A workgroup makes a tile of 64 rows by 128 columns, an invocation 4 by 8 of it. The inner index i goes by in steps of
// 16, staged in workgroup memory with four neighbours side by side in a vec4; group.z says which part of it is summed.

struct Params {
  R: u32, C: u32, inner: u32, innerPerSplit: u32, transposed: u32,
  aOffset: u32, aStride: u32, bOffset: u32, yOffset: u32, accumulate: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;       // rows at aStride from aOffset
@group(0) @binding(1) var<storage, read> b: array<u32>;       // [inner, C], two 16-bit elements or one float a word
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [splits, R, C] from yOffset
@group(0) @binding(3) var<uniform> params: Params;

override B_DTYPE: u32 = 0;    // 0 fp32, 1 fp16, 2 bf16
override TRANSPOSED: u32 = 0; // params.transposed, as a constant

const THREADS = 256u;
const TILE_R = 64u;
const TILE_C = 128u;
const TILE_I = 16u;
// One vector more than a step needs: stores of neighbouring i then fall into different banks.
const A_STRIDE = TILE_R / 4u + 1u;
const B_STRIDE = TILE_C / 4u + 1u;

var<workgroup> a_tile: array<vec4<f32>, TILE_I * A_STRIDE>; // [i, r / 4]
var<workgroup> b_tile: array<vec4<f32>, TILE_I * B_STRIDE>; // [i, c / 4]

fn b_at(element: u32) -> f32 {
  if (B_DTYPE == 0u) { return bitcast<f32>(b[element]); }
  let word = b[element / 2u];
  let odd = (element & 1u) == 1u;
  if (B_DTYPE == 1u) {
    let pair = unpack2x16float(word);
    return select(pair.x, pair.y, odd);
  }
  return bitcast<f32>(select(word << 16u, word & 0xffff0000u, odd));
}

// Rows r … r + 3 at one i. Rows past the end repeat the last one, whose sums nobody stores; i past the end adds zeros.
fn load_a(r: u32, i: u32, end: u32) -> vec4<f32> {
  if (i >= end) { return vec4(0.0); }
  let rows = min(vec4(r, r + 1u, r + 2u, r + 3u), vec4(params.R - 1u));
  let at = params.aOffset + select(rows * params.aStride + i, rows + i * params.aStride, TRANSPOSED != 0u);
  return vec4(a[at.x], a[at.y], a[at.z], a[at.w]);
}

fn load_b(c: u32, i: u32, end: u32) -> vec4<f32> {
  if (i >= end) { return vec4(0.0); }
  let at = params.bOffset + i * params.C + min(vec4(c, c + 1u, c + 2u, c + 3u), vec4(params.C - 1u));
  return vec4(b_at(at.x), b_at(at.y), b_at(at.z), b_at(at.w));
}

fn store(split: u32, r: u32, c: u32, sums: vec4<f32>) {
  if (r >= params.R) { return; }
  for (var j = 0u; j < 4u; j++) {
    if (c + j < params.C) {
      let at = params.yOffset + (split * params.R + r) * params.C + c + j;
      var value = sums[j];
      if (params.accumulate != 0u) { value += y[at]; }
      y[at] = value;
    }
  }
}

@compute @workgroup_size(THREADS)
fn matmul_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let r_tile = group.x * TILE_R;
  let c_tile = group.y * TILE_C;
  let begin = group.z * params.innerPerSplit;
  let end = min(begin + params.innerPerSplit, params.inner);
  // Neighbouring invocations load what is neighbouring in memory: i where a's rows run along it, else r; c of b.
  let slow = thread / 16u;
  let fast = thread % 16u;
  let a_i = select(fast, slow, TRANSPOSED != 0u);
  let a_quad = select(slow, fast, TRANSPOSED != 0u);
  let load_r = r_tile + a_quad * 4u;
  let load_c = c_tile + fast * 4u;

  var a0 = vec4(0.0); var a1 = vec4(0.0); var a2 = vec4(0.0); var a3 = vec4(0.0); // columns c_tile + 4 fast …
  var b0 = vec4(0.0); var b1 = vec4(0.0); var b2 = vec4(0.0); var b3 = vec4(0.0); // and 64 further on

  // Each step's loads are on their way while the step before is summed.
  var next_a = load_a(load_r, begin + a_i, end);
  var next_b0 = load_b(load_c, begin + slow, end);
  var next_b1 = load_b(load_c + 64u, begin + slow, end);
  for (var i = begin; i < end; i += TILE_I) {
    workgroupBarrier();
    a_tile[a_i * A_STRIDE + a_quad] = next_a;
    b_tile[slow * B_STRIDE + fast] = next_b0;
    b_tile[slow * B_STRIDE + fast + 16u] = next_b1;
    workgroupBarrier();
    next_a = load_a(load_r, i + TILE_I + a_i, end);
    next_b0 = load_b(load_c, i + TILE_I + slow, end);
    next_b1 = load_b(load_c + 64u, i + TILE_I + slow, end);
    for (var step = 0u; step < TILE_I; step++) {
      let rows = a_tile[step * A_STRIDE + slow];
      let ca = b_tile[step * B_STRIDE + fast];
      let cb = b_tile[step * B_STRIDE + fast + 16u];
      a0 += rows.x * ca; b0 += rows.x * cb;
      a1 += rows.y * ca; b1 += rows.y * cb;
      a2 += rows.z * ca; b2 += rows.z * cb;
      a3 += rows.w * ca; b3 += rows.w * cb;
    }
  }
  let r = r_tile + slow * 4u;
  store(group.z, r, load_c, a0); store(group.z, r, load_c + 64u, b0);
  store(group.z, r + 1u, load_c, a1); store(group.z, r + 1u, load_c + 64u, b1);
  store(group.z, r + 2u, load_c, a2); store(group.z, r + 2u, load_c + 64u, b2);
  store(group.z, r + 3u, load_c, a3); store(group.z, r + 3u, load_c + 64u, b3);
}
