// y[r, d] = weight[ids[r] - firstRow, d], one invocation an element. Floats are moved as bits.

struct Params { rows: u32, V: u32, D: u32, firstRow: u32, total: u32, bits: u32, group: u32 }

@group(0) @binding(0) var<storage, read> ids: array<i32>;     // [rows]
@group(0) @binding(1) var<storage, read> weight: array<u32>;  // [V, D], a float, two halves, four codes of q8 or eight of q4 a word
@group(0) @binding(2) var<storage, read_write> y: array<u32>; // [rows, D], bits of f32
@group(0) @binding(3) var<storage, read> scales: array<u32>;  // [V, D / GROUP] fp16, two a word, when quantised
@group(0) @binding(4) var<uniform> params: Params;

override WEIGHT_DTYPE: u32 = 0; // 0 fp32, 1 fp16, 2 bf16, 3 q8, 4 q4
override GROUP: u32 = 32;       // elements of a row that share a scale
const THREADS = 256u;
const NOT_A_NUMBER = 0x7fc00000u;

fn quantized(element: u32) -> f32 {
  let at = element / GROUP;
  let scale = unpack2x16float(scales[at / 2u])[at % 2u];
  if (WEIGHT_DTYPE == 3u) {
    return scale * f32(extractBits(bitcast<i32>(weight[element / 4u]), 8u * (element % 4u), 8u));
  }
  return scale * (f32(extractBits(weight[element / 8u], 4u * (element % 8u), 4u)) - 8.0);
}

fn weightBits(element: u32) -> u32 {
  if (WEIGHT_DTYPE >= 3u) { return bitcast<u32>(quantized(element)); }
  if (WEIGHT_DTYPE == 0u) { return weight[element]; }
  let word = weight[element / 2u];
  if (WEIGHT_DTYPE == 1u) { return bitcast<u32>(unpack2x16float(word)[element % 2u]); }
  return select(word << 16u, word & 0xffff0000u, element % 2u == 1u);
}

@compute @workgroup_size(THREADS)
fn embedding(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
             @builtin(local_invocation_index) thread: u32) {
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  if (index >= params.rows * params.D) { return; }
  // A negative id becomes a large unsigned one: one comparison covers both ends.
  let id = u32(ids[index / params.D]);
  if (id >= params.total) {
    y[index] = NOT_A_NUMBER;
    return;
  }
  // An id before this part wraps around and is as far outside as one behind it.
  let here = id - params.firstRow;
  if (here < params.V) { y[index] = weightBits(here * params.D + index % params.D); }
}
