// The form for codes of 8 or 4 bits and one row of x, whose products are of integers: x as integers of 16 bits with a scale
// for each block of 32, and `dot4I8Packed` on their upper and lower bytes. A sum of a chunk is exact; x is off by at most
// 2^-16 of the largest magnitude in its block. Before this text: shared.wgsl, bindings.wgsl, the layout's constants
// (integers.ts).
//
// A subgroup makes ROW_COUNT weight rows, TURNS times; its lanes take every `size`-th chunk of 16 bytes. The first chunks are
// asked for before x is made ready, and those of the next rows before the last sums are added up.
// Loops up to ROW_COUNT, DEPTH and PAIRS are written out before this is compiled (expand-loops.ts).

override K: u32 = 32;            // K, as a constant: loops along it are unrolled
override SUBGROUPS: u32 = 64;    // subgroups there can be at most
override HEADS: u32 = 1;         // params.heads, as a constant
override SCALED: u32 = 32;       // elements that share a scale
override TURNS: u32 = 1;
override OUTPUTS: u32 = ROW_COUNT; // of ROW_COUNT rows: half as many with swiglu

const ELEMENTS = 128u / BITS; // in a chunk of 16 bytes
const PAIRS = 16u / BITS;     // pairs of words that x takes beside a chunk
const CHUNKS_OF_BLOCK = 32u / ELEMENTS;

// Upper bytes of x, pair by pair of a chunk, then lower bytes: [2, PAIRS, chunks].
var<workgroup> packed: array<vec2<u32>, K / 4u>;
var<workgroup> steps: array<f32, K / 32u>;      // what an integer of a block stands for
var<workgroup> squares: array<f32, SUBGROUPS>;
var<workgroup> means: array<f32, HEADS>;        // for prologue 2
var<workgroup> inverses: array<f32, HEADS>;

struct Words { values: array<vec4<u32>, ROW_COUNT>, scales: array<u32, ROW_COUNT> }

// Rows past the end repeat the last one; store drops them.
fn row_of(n: u32, r: u32) -> u32 {
  if (EPILOGUE == 2u && r >= ROW_COUNT / 2u) { return params.up + min(n + r - ROW_COUNT / 2u, params.N - 1u); }
  return min(n + r, params.N - 1u);
}

fn load(n: u32, chunk: u32, chunks: u32) -> Words {
  var words: Words;
  for (var r = 0u; r < ROW_COUNT; r++) {
    let at = row_of(n, r) * chunks + chunk;
    words.values[r] = weight[at];
    words.scales[r] = scales[at * ELEMENTS / SCALED / 2u];
  }
  return words;
}

// A variable declared in a loop without a value keeps that of the round before in some compilers: all are given one.
// The codes that pair p of x meets, as signed bytes; those of 4 bits sixteenfold: even elements, then odd ones.
fn codes_of(words: vec4<u32>, p: u32) -> vec2<u32> {
  if (BITS == 8u) { return vec2(words[2u * p % 4u], words[(2u * p + 1u) % 4u]); }
  return (vec2(words[p] << 4u, words[p]) & vec2(0xf0f0f0f0u)) ^ vec2(0x80808080u);
}

fn use_words(words: Words, n: u32, chunk: u32, chunks: u32, sums: ptr<function, array<f32, ROW_COUNT>>) {
  var upper = array<i32, ROW_COUNT>();
  var lower = array<i32, ROW_COUNT>();
  for (var p = 0u; p < PAIRS; p++) {
    let high = packed[p * chunks + chunk];
    let low = packed[(PAIRS + p) * chunks + chunk];
    for (var r = 0u; r < ROW_COUNT; r++) {
      let codes = codes_of(words.values[r], p);
      upper[r] += dot4I8Packed(codes.x, high.x) + dot4I8Packed(codes.y, high.y);
      lower[r] += dot4I8Packed(codes.x, low.x) + dot4I8Packed(codes.y, low.y);
    }
  }
  let step = steps[chunk / CHUNKS_OF_BLOCK] * select(1.0, 1.0 / 16.0, BITS == 4u);
  for (var r = 0u; r < ROW_COUNT; r++) {
    let both = unpack2x16float(words.scales[r]);
    let odd = (((row_of(n, r) * chunks + chunk) * ELEMENTS / SCALED) & 1u) == 1u;
    (*sums)[r] += f32((upper[r] << 8u) + lower[r]) * (step * select(both.x, both.y, odd));
  }
}

// Mean and inverse deviation of each head, a subgroup a head.
fn measure_heads(subgroup: u32, lane: u32, size: u32) {
  let vectors = K / HEADS / 4u;
  for (var begin = 0u; begin < HEADS; begin += THREADS / size) {
    let head = begin + subgroup;
    let start = min(head, HEADS - 1u) * vectors;
    var sum = 0.0;
    for (var i = lane; i < vectors; i += size) { sum += dot(x[start + i], vec4(1.0)); }
    let mean = subgroupAdd(sum) / f32(4u * vectors);
    var deviations = 0.0;
    for (var i = lane; i < vectors; i += size) {
      let centred = x[start + i] - mean;
      deviations += dot(centred, centred);
    }
    let variance = subgroupAdd(deviations) / f32(4u * vectors);
    if (lane == 0u && head < HEADS) {
      means[head] = mean;
      inverses[head] = inverseSqrt(variance + params.eps);
    }
  }
  workgroupBarrier();
}

// Vector i of x as the product takes it, but for the factor of RMSNorm.
fn prepared(i: u32) -> vec4<f32> {
  let value = x[i];
  if (PROLOGUE == 0u) { return value; }
  if (PROLOGUE == 1u) { return value * norm[i]; }
  let head = i / (K / HEADS / 4u);
  let opening = gate[params.gateOffset / 4u + i];
  let open = vec4(sigmoid(opening.x), sigmoid(opening.y), sigmoid(opening.z), sigmoid(opening.w));
  return (value - means[head]) * inverses[head] * norm[i] * open;
}

// Magnitudes by their bits, of which those of an infinity and of NaN are the largest: they are not lost.
fn magnitude(a: vec4<f32>, b: vec4<f32>) -> u32 {
  let bits = max(bitcast<vec4<u32>>(a) & vec4(0x7fffffffu), bitcast<vec4<u32>>(b) & vec4(0x7fffffffu));
  return max(max(bits.x, bits.y), max(bits.z, bits.w));
}

// Four lanes share a block of 32; all invocations go through, since lanes ask each other.
fn stage(thread: u32, subgroup: u32, lane: u32, size: u32) {
  if (PROLOGUE == 2u) { measure_heads(subgroup, lane, size); }
  let eights = K / 8u;
  let chunks = K / ELEMENTS;
  var own = 0.0;
  for (var begin = 0u; begin < eights; begin += THREADS) {
    let here = begin + thread < eights;
    let eight = min(begin + thread, eights - 1u);
    let a = prepared(2u * eight);
    let b = prepared(2u * eight + 1u);
    if (PROLOGUE == 1u && here) { own += dot(x[2u * eight], x[2u * eight]) + dot(x[2u * eight + 1u], x[2u * eight + 1u]); }
    var most = magnitude(a, b);
    most = max(most, subgroupShuffleXor(most, 1u));
    most = max(most, subgroupShuffleXor(most, 2u));
    let largest = bitcast<f32>(most);
    let factor = select(32512.0 / largest, 0.0, largest < 1e-30);
    let first = vec4<i32>(round(a * factor));
    let second = vec4<i32>(round(b * factor));
    let first_upper = (first + vec4(128)) >> vec4(8u);
    let second_upper = (second + vec4(128)) >> vec4(8u);
    let upper = bytes_of(first_upper, second_upper);
    let lower = bytes_of(first - (first_upper << vec4(8u)), second - (second_upper << vec4(8u)));
    if (here) {
      let place = (eight % PAIRS) * chunks + eight / PAIRS;
      packed[place] = upper;
      packed[PAIRS * chunks + place] = lower;
      if (eight % 4u == 0u) { steps[eight / 4u] = select(largest / 32512.0, 0.0, largest < 1e-30); }
    }
  }
  if (PROLOGUE == 1u) {
    let sum = subgroupAdd(own);
    if (lane == 0u) { squares[subgroup] = sum; }
  }
  workgroupBarrier();
}

// Eight integers as bytes, in the order of the codes: one after the other, or even ones and odd ones.
fn bytes_of(a: vec4<i32>, b: vec4<i32>) -> vec2<u32> {
  if (BITS == 8u) { return vec2(pack4xI8(a), pack4xI8(b)); }
  return vec2(pack4xI8(vec4(a.xz, b.xz)), pack4xI8(vec4(a.yw, b.yw)));
}

// What RMSNorm multiplies x with, besides its weight.
fn norm_scale(subgroups: u32) -> f32 {
  if (PROLOGUE != 1u) { return 1.0; }
  var sum = 0.0;
  for (var s = 0u; s < subgroups; s++) { sum += squares[s]; }
  return inverseSqrt(sum / f32(K) + params.eps);
}

@compute @workgroup_size(THREADS)
fn fused_linear(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
                @builtin(local_invocation_index) thread: u32,
                @builtin(subgroup_size) size: u32, @builtin(subgroup_invocation_id) lane: u32) {
  let index = workgroup.x + workgroup.y * workgroups.x;
  let subgroups = THREADS / size;
  let subgroup = thread / size;
  let extras = (params.E + subgroups - 1u) / subgroups;
  let is_extra = index < extras;
  // Rows of this subgroup, then those of the same in the next turn.
  var n = ((index - select(extras, 0u, is_extra)) * TURNS * subgroups + subgroup) * OUTPUTS;
  let chunks = K / ELEMENTS;
  let whole = chunks / (DEPTH * size); // steps that all lanes take
  let rest = whole * DEPTH * size;

  var words: array<Words, DEPTH>;
  if (!is_extra && whole > 0u) {
    for (var d = 0u; d < DEPTH; d++) { words[d] = load(n, lane + d * size, chunks); }
  }
  stage(thread, subgroup, lane, size);
  let scale = norm_scale(subgroups);

  if (is_extra) {
    // A few float32 rows: they take x as it is.
    let e = index * subgroups + subgroup;
    var sum = 0.0;
    for (var i = lane; i < K / 4u; i += size) { sum += dot(extra[min(e, params.E - 1u) * (K / 4u) + i], prepared(i)); }
    let total = subgroupAdd(sum);
    if (lane == 0u) { store_extra(0u, e, total, scale); }
    return;
  }

  for (var turn = 0u; turn < TURNS; turn++) {
    var sums = array<f32, ROW_COUNT>();
    let before = added(0u, n + min(lane, OUTPUTS - 1u));
    var chunk = lane;
    for (var step = 1u; step < whole; step++) {
      var next: array<Words, DEPTH>;
      for (var d = 0u; d < DEPTH; d++) { next[d] = load(n, chunk + (DEPTH + d) * size, chunks); }
      for (var d = 0u; d < DEPTH; d++) { use_words(words[d], n, chunk + d * size, chunks, &sums); }
      for (var d = 0u; d < DEPTH; d++) { words[d] = next[d]; }
      chunk += DEPTH * size;
    }
    let after = n + subgroups * OUTPUTS;
    if (whole > 0u) {
      for (var d = 0u; d < DEPTH; d++) { use_words(words[d], n, chunk + d * size, chunks, &sums); }
      if (turn + 1u < TURNS) {
        for (var d = 0u; d < DEPTH; d++) { words[d] = load(after, lane + d * size, chunks); }
      }
    }
    for (chunk = rest + lane; chunk < chunks; chunk += size) { use_words(load(n, chunk, chunks), n, chunk, chunks, &sums); }
    var sum = 0.0;
    var up_sum = 0.0;
    for (var r = 0u; r < ROW_COUNT; r++) {
      let total = subgroupAdd(sums[r]);
      if (r < OUTPUTS && lane == r) { sum = total; }
      if (r >= OUTPUTS && lane == r - OUTPUTS) { up_sum = total; }
    }
    if (lane < OUTPUTS) { store(0u, n + lane, sum, up_sum, scale, before); }
    n = after;
  }
}
