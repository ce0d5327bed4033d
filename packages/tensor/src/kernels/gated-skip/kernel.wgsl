// y = (h + skip * a) * silu(z), one invocation an element. Compiled with activation.wgsl.

struct Params { rows: u32, D: u32, zOffset: u32, zStride: u32 }

@group(0) @binding(0) var<storage, read> h: array<f32>;       // [rows, D]
@group(0) @binding(1) var<storage, read> skip: array<f32>;    // [D]
@group(0) @binding(2) var<storage, read> a: array<f32>;       // [rows, D]
@group(0) @binding(3) var<storage, read> z: array<f32>;       // rows of D at zStride
@group(0) @binding(4) var<storage, read_write> y: array<f32>; // [rows, D]
@group(0) @binding(5) var<uniform> params: Params;

const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn gated_skip(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
              @builtin(local_invocation_index) thread: u32) {
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  if (index >= params.rows * params.D) { return; }
  let d = index % params.D;
  let open = silu(z[params.zOffset + (index / params.D) * params.zStride + d]).value;
  y[index] = (h[index] + skip[d] * a[index]) * open;
}
