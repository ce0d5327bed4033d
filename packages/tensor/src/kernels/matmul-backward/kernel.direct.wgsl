// y [splits, R, C] (+)= a [R, inner] * b [inner, C], or a [inner, R]^T * b when TRANSPOSED, for software adapters and
// C % 4 == 0, bOffset % 4 == 0: an invocation makes eight rows of eight columns straight from storage.

struct Params {
  R: u32, C: u32, inner: u32, innerPerSplit: u32, transposed: u32,
  aOffset: u32, aStride: u32, bOffset: u32, yOffset: u32, accumulate: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;       // rows at aStride from aOffset
@group(0) @binding(1) var<storage, read> b: array<vec2<u32>>; // [inner, C / 4], fp32: [inner, C / 2]
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [splits, R, C] from yOffset
@group(0) @binding(3) var<uniform> params: Params;

override B_DTYPE: u32 = 0;    // 0 fp32, 1 fp16, 2 bf16
override TRANSPOSED: u32 = 0; // params.transposed, as a constant

const THREADS = 8u;

// Four elements of b from element 4 * chunk on.
fn chunk_of_b(chunk: u32) -> vec4<f32> {
  if (B_DTYPE == 0u) { return bitcast<vec4<f32>>(vec4(b[2u * chunk], b[2u * chunk + 1u])); }
  let words = b[chunk];
  if (B_DTYPE == 1u) { return vec4(unpack2x16float(words.x), unpack2x16float(words.y)); }
  return bitcast<vec4<f32>>(vec4(words.x << 16u, words.x & 0xffff0000u, words.y << 16u, words.y & 0xffff0000u));
}

struct Sums { a: vec4<f32>, b: vec4<f32> }

fn store_chunk(r: u32, chunk: u32, start: u32, sums: vec4<f32>) {
  if (r >= params.R || chunk * 4u >= params.C) { return; }
  let at = start + r * params.C + chunk * 4u;
  for (var j = 0u; j < 4u; j++) {
    var value = sums[j];
    if (params.accumulate != 0u) { value += y[at + j]; }
    y[at + j] = value;
  }
}

@compute @workgroup_size(THREADS)
fn matmul_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let r = group.x * 8u;
  let chunks = params.C / 4u;
  // Lanes take neighbouring chunks, so that their reads of b are one run; all read the same elements of a.
  let chunk_a = group.y * THREADS * 2u + thread;
  let chunk_b = chunk_a + THREADS;
  let b_from = params.bOffset / 4u;
  let at_a = b_from + min(chunk_a, chunks - 1u);
  let at_b = b_from + min(chunk_b, chunks - 1u);
  let row_step = select(params.aStride, 1u, TRANSPOSED != 0u);
  let a_step = select(1u, params.aStride, TRANSPOSED != 0u);
  let last = params.R - 1u;
  let rows_a = params.aOffset + min(vec4(r, r + 1u, r + 2u, r + 3u), vec4(last)) * row_step;
  let rows_b = params.aOffset + min(vec4(r + 4u, r + 5u, r + 6u, r + 7u), vec4(last)) * row_step;
  let begin = group.z * params.innerPerSplit;
  let end = min(begin + params.innerPerSplit, params.inner);
  var s0: Sums; var s1: Sums; var s2: Sums; var s3: Sums;
  var s4: Sums; var s5: Sums; var s6: Sums; var s7: Sums;
  for (var i = begin; i < end; i++) {
    let ba = chunk_of_b(at_a + i * chunks);
    let bb = chunk_of_b(at_b + i * chunks);
    let pa = rows_a + i * a_step;
    let pb = rows_b + i * a_step;
    let a0 = a[pa.x]; s0.a += a0 * ba; s0.b += a0 * bb;
    let a1 = a[pa.y]; s1.a += a1 * ba; s1.b += a1 * bb;
    let a2 = a[pa.z]; s2.a += a2 * ba; s2.b += a2 * bb;
    let a3 = a[pa.w]; s3.a += a3 * ba; s3.b += a3 * bb;
    let a4 = a[pb.x]; s4.a += a4 * ba; s4.b += a4 * bb;
    let a5 = a[pb.y]; s5.a += a5 * ba; s5.b += a5 * bb;
    let a6 = a[pb.z]; s6.a += a6 * ba; s6.b += a6 * bb;
    let a7 = a[pb.w]; s7.a += a7 * ba; s7.b += a7 * bb;
  }
  let start = params.yOffset + group.z * params.R * params.C;
  let rows = array<Sums, 8>(s0, s1, s2, s3, s4, s5, s6, s7);
  for (var j = 0u; j < 8u; j++) {
    store_chunk(r + j, chunk_a, start, rows[j].a);
    store_chunk(r + j, chunk_b, start, rows[j].b);
  }
}
