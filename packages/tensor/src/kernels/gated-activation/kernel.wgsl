// y = silu(gate) * up or gelu(gate) * up, one invocation an element. Compiled with activation.wgsl.

struct Params {
  rows: u32, D: u32, gateOffset: u32, gateStride: u32, upOffset: u32, upStride: u32, activation: u32,
}

@group(0) @binding(0) var<storage, read> gate: array<f32>;    // rows of D at gateStride
@group(0) @binding(1) var<storage, read> up: array<f32>;      // rows of D at upStride
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [rows, D]
@group(0) @binding(3) var<uniform> params: Params;

const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn gated_activation(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                    @builtin(local_invocation_index) thread: u32) {
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  if (index >= params.rows * params.D) { return; }
  let row = index / params.D;
  let d = index % params.D;
  let open = activate(gate[params.gateOffset + row * params.gateStride + d]).value;
  y[index] = open * up[params.upOffset + row * params.upStride + d];
}
