// y (+)= value in the rows whose id is params.id, x in all others; one element an invocation.

struct Params {
  rows: u32, D: u32, x_offset: u32, x_stride: u32, y_offset: u32, y_stride: u32, id: i32, value: f32, accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;       // rows at x_offset + row * x_stride
@group(0) @binding(1) var<storage, read> ids: array<i32>;     // [rows]
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // rows at y_offset + row * y_stride
@group(0) @binding(3) var<uniform> params: Params;

const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn fill_where(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
              @builtin(local_invocation_index) thread: u32) {
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  if (index >= params.rows * params.D) { return; }
  let row = index / params.D;
  let d = index % params.D;
  // Not select(): what x holds in a filled row may be anything, NaN among it.
  var value = params.value;
  if (ids[row] != params.id) { value = x[params.x_offset + row * params.x_stride + d]; }
  let at = params.y_offset + row * params.y_stride + d;
  if (params.accumulate != 0u) { value += y[at]; }
  y[at] = value;
}
