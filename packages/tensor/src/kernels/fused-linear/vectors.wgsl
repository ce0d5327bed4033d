// Layout of the vector form, and x made ready for it. Before this text: shared.wgsl, bindings.wgsl.

override THREADS: u32 = 256;
override GROUPS: u32 = 8;
override ELEMENTS: u32 = 8;    // in a chunk of 16 bytes: fp32 4, fp16 and bf16 8, q8 16, q4 32
override SLOTS: u32 = 256;     // subgroups there can be at most, times rows of x, times ROW_COUNT
override SUBGROUPS: u32 = 64;  // subgroups there can be at most
override STAGE_WORDS: u32 = 1; // K / 4 where x is staged
override BLOCK: u32 = 1;       // vectors of x that an invocation normalises, for prologue 2
override SCALED: u32 = 32;     // elements that share a scale

var<workgroup> partial: array<f32, SLOTS>;                 // [subgroup, m, r]
var<workgroup> squares: array<f32, SUBGROUPS * MAX_ROWS>;  // [m, subgroup]
var<workgroup> staged: array<vec4<f32>, STAGE_WORDS>;
var<workgroup> blocks: array<f32, THREADS * 2u>;           // for prologue 2

// Vector i of x lies where the lanes of a subgroup, each with a chunk of its own, find theirs side by side.
fn place(i: u32) -> u32 {
  let each = ELEMENTS / 4u;
  return (i % each) * (params.K / ELEMENTS) + i / each;
}

fn head_norm(thread: u32) {
  let vectors_of_head = params.K / params.heads / 4u;
  let invocations = vectors_of_head / BLOCK; // of a head
  let active_ = thread * BLOCK < params.K / 4u;
  let start = select(0u, thread * BLOCK, active_);
  let first = thread / invocations * invocations;
  var sum = 0.0;
  for (var b = 0u; b < BLOCK; b++) { sum += dot(x[start + b], vec4(1.0)); }
  blocks[thread] = sum;
  workgroupBarrier();
  var mean = 0.0;
  if (active_) { for (var t = 0u; t < invocations; t++) { mean += blocks[first + t]; } }
  mean /= f32(4u * vectors_of_head);
  var deviations = 0.0;
  for (var b = 0u; b < BLOCK; b++) {
    let centred = x[start + b] - mean;
    deviations += dot(centred, centred);
  }
  blocks[THREADS + thread] = deviations;
  workgroupBarrier();
  if (active_) {
    var total = 0.0;
    for (var t = 0u; t < invocations; t++) { total += blocks[THREADS + first + t]; }
    let scale = inverseSqrt(total / f32(4u * vectors_of_head) + params.eps);
    for (var b = 0u; b < BLOCK; b++) {
      let opening = gate[params.gateOffset / 4u + start + b];
      let open = vec4(sigmoid(opening.x), sigmoid(opening.y), sigmoid(opening.z), sigmoid(opening.w));
      staged[place(start + b)] = (x[start + b] - mean) * scale * norm[start + b] * open;
    }
  }
  workgroupBarrier();
}

// Every workgroup does this again for itself: x is short and in a cache.
fn prepare(thread: u32, subgroup: u32, lane: u32) {
  if (PROLOGUE == 2u) {
    head_norm(thread);
    return;
  }
  if (PROLOGUE == 0u && !STAGED) { return; }
  for (var m = 0u; m < ROWS; m++) {
    var own = 0.0;
    for (var i = thread; i < params.K / 4u; i += THREADS) {
      let value = x[m * (params.K / 4u) + i];
      if (PROLOGUE == 1u) { own += dot(value, value); }
      if (STAGED) {
        if (PROLOGUE == 1u) { staged[place(i)] = value * norm[i]; } else { staged[place(i)] = value; }
      }
    }
    if (PROLOGUE == 1u) {
      let sum = subgroupAdd(own);
      if (lane == 0u) { squares[m * SUBGROUPS + subgroup] = sum; }
    }
  }
  workgroupBarrier();
}

// What RMSNorm multiplies a row of x with, besides its weight.
fn norm_scale(m: u32, subgroups: u32) -> f32 {
  if (PROLOGUE != 1u) { return 1.0; }
  var sum = 0.0;
  for (var s = 0u; s < subgroups; s++) { sum += squares[m * SUBGROUPS + s]; }
  return inverseSqrt(sum / f32(params.K) + params.eps);
}

fn x_vector(m: u32, i: u32) -> vec4<f32> {
  if (STAGED) { return staged[place(i)]; }
  let value = x[m * (params.K / 4u) + i];
  if (PROLOGUE == 1u) { return value * norm[i]; }
  return value;
}

// Vector i of a chunk.
fn x_of(m: u32, chunk: u32, i: u32) -> vec4<f32> {
  if (STAGED) { return staged[i * (params.K / ELEMENTS) + chunk]; }
  return x_vector(m, chunk * (ELEMENTS / 4u) + i);
}

// Eight 16-bit elements, in order, as two vectors.
struct Eight { a: vec4<f32>, b: vec4<f32> }

fn eight(words: vec4<u32>) -> Eight {
  if (WEIGHT_DTYPE == 1u) {
    return Eight(vec4(unpack2x16float(words.x), unpack2x16float(words.y)),
                 vec4(unpack2x16float(words.z), unpack2x16float(words.w)));
  }
  let low = bitcast<vec4<f32>>(words << vec4(16u));
  let high = bitcast<vec4<f32>>(words & vec4(0xffff0000u));
  return Eight(vec4(low.x, high.x, low.y, high.y), vec4(low.z, high.z, low.w, high.w));
}

// Codes in the fraction of a float between 1 and 2: 1 + (code + 128) / 256 and 1 + nibble / 16. No conversion, which GPUs
// do slowly; both are 1.5 where the weight is 0.
fn bytes(word: u32) -> vec4<f32> {
  let biased = word ^ 0x80808080u;
  let moved = vec4(biased << 15u, biased << 7u, biased >> 1u, biased >> 9u);
  return bitcast<vec4<f32>>((moved & vec4(0x7f8000u)) | vec4(0x3f800000u));
}

fn low_nibbles(word: u32) -> vec4<f32> {
  let moved = vec4(word << 19u, word << 15u, word << 11u, word << 7u);
  return bitcast<vec4<f32>>((moved & vec4(0x780000u)) | vec4(0x3f800000u));
}

fn high_nibbles(word: u32) -> vec4<f32> {
  let moved = vec4(word << 3u, word >> 1u, word >> 5u, word >> 9u);
  return bitcast<vec4<f32>>((moved & vec4(0x780000u)) | vec4(0x3f800000u));
}

// The word with the scale of a chunk, chunks counted from the first row's.
fn scale_word(index: u32) -> u32 {
  if (WEIGHT_DTYPE < 3u) { return 0u; }
  return scales[index * ELEMENTS / SCALED / 2u];
}

// The scale in that word, times what makes the weight out of the codes' floats.
fn factor(word: u32, index: u32) -> f32 {
  let pair = unpack2x16float(word);
  let odd = ((index * ELEMENTS / SCALED) & 1u) == 1u;
  return select(256.0, 16.0, WEIGHT_DTYPE == 4u) * select(pair.x, pair.y, odd);
}
