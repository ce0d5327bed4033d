// dx (+)= dy * f'(x), one invocation an element. Compiled with activation.wgsl.

struct Params {
  rows: u32, D: u32, xOffset: u32, xStride: u32, dxOffset: u32, dxStride: u32, accumulate: u32, activation: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;        // rows of D at xStride
@group(0) @binding(1) var<storage, read> dy: array<f32>;       // [rows, D]
@group(0) @binding(2) var<storage, read_write> dx: array<f32>; // rows of D at dxStride
@group(0) @binding(3) var<uniform> params: Params;

const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn activation_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                       @builtin(local_invocation_index) thread: u32) {
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  if (index >= params.rows * params.D) { return; }
  let row = index / params.D;
  let d = index % params.D;
  var value = dy[index] * activate(x[params.xOffset + row * params.xStride + d]).slope;
  let at = params.dxOffset + row * params.dxStride + d;
  if (params.accumulate != 0u) { value += dx[at]; }
  dx[at] = value;
}
