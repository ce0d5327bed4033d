// target = x + y, one invocation an element; target += y when there is no x.

struct Params { count: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;            // [count], when HAS_X
@group(0) @binding(1) var<storage, read> y: array<f32>;            // [count]
@group(0) @binding(2) var<storage, read_write> result: array<f32>; // [count]
@group(0) @binding(3) var<uniform> params: Params;

override HAS_X: u32 = 0;
const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn residual(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) thread: u32) {
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  if (index >= params.count) { return; }
  if (HAS_X != 0u) {
    result[index] = x[index] + y[index];
  } else {
    result[index] += y[index];
  }
}
