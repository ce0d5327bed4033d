// y = silu(x) or gelu(x), one invocation an element. Compiled with activation.wgsl.

struct Params { rows: u32, D: u32, xOffset: u32, xStride: u32, activation: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;       // rows of D at xStride
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [rows, D]
@group(0) @binding(2) var<uniform> params: Params;

const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn activation(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
              @builtin(local_invocation_index) thread: u32) {
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  if (index >= params.rows * params.D) { return; }
  y[index] = activate(x[params.xOffset + (index / params.D) * params.xStride + index % params.D]).value;
}
