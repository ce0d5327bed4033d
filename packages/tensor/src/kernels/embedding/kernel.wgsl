// y[r, d] = weight[ids[r], d], one invocation an element. Values are moved as bits.

struct Params { rows: u32, V: u32, D: u32 }

@group(0) @binding(0) var<storage, read> ids: array<i32>;     // [rows]
@group(0) @binding(1) var<storage, read> weight: array<u32>;  // [V, D], two 16-bit elements a word
@group(0) @binding(2) var<storage, read_write> y: array<u32>; // [rows, D], bits of f32
@group(0) @binding(3) var<uniform> params: Params;

override WEIGHT_DTYPE: u32 = 0; // 0 fp32, 1 fp16, 2 bf16
const THREADS = 256u;
const NOT_A_NUMBER = 0x7fc00000u;

fn weightBits(element: u32) -> u32 {
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
  if (id >= params.V) {
    y[index] = NOT_A_NUMBER;
    return;
  }
  y[index] = weightBits(id * params.D + index % params.D);
}
