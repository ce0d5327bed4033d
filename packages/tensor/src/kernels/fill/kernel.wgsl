// y [rows, D] = value; one element an invocation.

struct Params { rows: u32, D: u32, y_offset: u32, y_stride: u32, value: f32 }

@group(0) @binding(0) var<storage, read_write> y: array<f32>; // rows at y_offset + row * y_stride
@group(0) @binding(1) var<uniform> params: Params;

const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn fill(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) thread: u32) {
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  if (index >= params.rows * params.D) { return; }
  y[params.y_offset + (index / params.D) * params.y_stride + index % params.D] = params.value;
}
