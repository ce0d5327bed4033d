// y [splits, R, C] (+)= a [R, inner] * b [inner, C], or a [inner, R]^T * b when TRANSPOSED, for software adapters:
// an invocation makes four rows of four columns straight from storage, without workgroup memory and barriers.

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

const THREADS = 8u;

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

fn store(split: u32, r: u32, columns: vec4<u32>, sums: vec4<f32>) {
  if (r >= params.R) { return; }
  for (var j = 0u; j < 4u; j++) {
    if (columns[j] < params.C) {
      let at = params.yOffset + (split * params.R + r) * params.C + columns[j];
      var value = sums[j];
      if (params.accumulate != 0u) { value += y[at]; }
      y[at] = value;
    }
  }
}

@compute @workgroup_size(THREADS)
fn matmul_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let r = group.x * 4u;
  // Lanes take neighbouring columns, so that their reads of b are one run.
  let c = group.y * THREADS * 4u + thread;
  let columns = vec4(c, c + THREADS, c + 2u * THREADS, c + 3u * THREADS);
  let b_from = params.bOffset + min(columns, vec4(params.C - 1u));
  let rows = min(vec4(r, r + 1u, r + 2u, r + 3u), vec4(params.R - 1u));
  let row_at = params.aOffset + select(rows * params.aStride, rows, TRANSPOSED != 0u);
  let a_step = select(1u, params.aStride, TRANSPOSED != 0u);
  let begin = group.z * params.innerPerSplit;
  let end = min(begin + params.innerPerSplit, params.inner);
  var s0 = vec4(0.0); var s1 = vec4(0.0); var s2 = vec4(0.0); var s3 = vec4(0.0);
  for (var i = begin; i < end; i++) {
    let at = b_from + i * params.C;
    let bs = vec4(b_at(at.x), b_at(at.y), b_at(at.z), b_at(at.w));
    let place = row_at + i * a_step;
    s0 += a[place.x] * bs;
    s1 += a[place.y] * bs;
    s2 += a[place.z] * bs;
    s3 += a[place.w] * bs;
  }
  store(group.z, r, columns, s0);
  store(group.z, r + 1u, columns, s1);
  store(group.z, r + 2u, columns, s2);
  store(group.z, r + 3u, columns, s3);
}
