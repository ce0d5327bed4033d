// y (+)= scale * x; one element an invocation.

struct Params { count: u32, accumulate: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;       // [count]
@group(0) @binding(1) var<storage, read> scale: array<f32>;   // [1]
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [count]
@group(0) @binding(3) var<uniform> params: Params;

const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn add_scaled(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
              @builtin(local_invocation_index) thread: u32) {
  let at = (group.x + group.y * groups.x) * THREADS + thread;
  if (at >= params.count) { return; }
  var value = scale[0] * x[at];
  if (params.accumulate != 0u) { value += y[at]; }
  y[at] = value;
}
