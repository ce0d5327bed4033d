// y[index] = mean + scale * (2u - 1), u uniform in [0, 1) from a hash of seed and index; one 32-bit word an invocation.

struct Params { length: u32, seed: u32, scale: f32, mean: f32 }

@group(0) @binding(0) var<storage, read_write> y: array<u32>; // [length] of DTYPE
@group(0) @binding(1) var<uniform> params: Params;

override DTYPE: u32 = 0; // 0 fp32, 1 fp16, 2 bf16, 3 u32: the hash itself
const THREADS = 256u;

// MurmurHash3's 32-bit finaliser.
fn mix(word: u32) -> u32 {
  var mixed = word;
  mixed = (mixed ^ (mixed >> 16u)) * 0x85ebca6bu;
  mixed = (mixed ^ (mixed >> 13u)) * 0xc2b2ae35u;
  return mixed ^ (mixed >> 16u);
}

fn bits(index: u32) -> u32 { return mix(index ^ mix(params.seed)); }

fn value(index: u32) -> f32 {
  return params.mean + params.scale * (f32(bits(index) >> 8u) / 8388608.0 - 1.0);
}

fn bf16(number: f32) -> u32 {
  let word = bitcast<u32>(number);
  return (word + 0x7fffu + ((word >> 16u) & 1u)) >> 16u;
}

@compute @workgroup_size(THREADS)
fn random_fill(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) thread: u32) {
  let word = (group.x + group.y * groups.x) * THREADS + thread;
  if (DTYPE == 0u) {
    if (word < params.length) { y[word] = bitcast<u32>(value(word)); }
    return;
  }
  if (DTYPE == 3u) {
    if (word < params.length) { y[word] = bits(word); }
    return;
  }
  let first = 2u * word;
  if (first >= params.length) { return; }
  let low = value(first);
  let high = value(first + 1u);
  var packed = 0u;
  if (DTYPE == 1u) { packed = pack2x16float(vec2<f32>(low, high)); }
  else { packed = bf16(low) | (bf16(high) << 16u); }
  // An odd length ends in the middle of a word, whose other half is not ours.
  if (first + 1u == params.length) { packed = (packed & 0xffffu) | (y[word] & 0xffff0000u); }
  y[word] = packed;
}
