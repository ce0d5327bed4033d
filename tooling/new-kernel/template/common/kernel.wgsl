// y = a * x, one invocation an element.

struct Params { n: u32, a: f32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;       // [n]
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [n]
@group(0) @binding(2) var<uniform> params: Params;

const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn example_scale(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                 @builtin(local_invocation_index) thread: u32) {
  // Workgroups are spread over x and y, since one dimension ends at 65,535.
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  if (index >= params.n) { return; }
  y[index] = params.a * x[index];
}
