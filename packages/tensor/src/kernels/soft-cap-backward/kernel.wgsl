// dx (+)= dy * (1 - (y / cap)^2), one invocation an element; of dx itself when there is no dy.

struct Params { rows: u32, D: u32, cap: f32, dxOffset: u32, dxStride: u32, accumulate: u32 }

@group(0) @binding(0) var<storage, read> y: array<f32>;        // [rows, D]
@group(0) @binding(1) var<storage, read> dy: array<f32>;       // [rows, D], when HAS_DY
@group(0) @binding(2) var<storage, read_write> dx: array<f32>; // rows of D at dxStride
@group(0) @binding(3) var<uniform> params: Params;

override HAS_DY: u32 = 0;
const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn soft_cap_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                     @builtin(local_invocation_index) thread: u32) {
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  if (index >= params.rows * params.D) { return; }
  let at = params.dxOffset + (index / params.D) * params.dxStride + index % params.D;
  let share = y[index] / params.cap;
  let slope = (1.0 - share) * (1.0 + share);
  var value: f32;
  if (HAS_DY != 0u) {
    value = dy[index] * slope;
  } else {
    value = dx[at] * slope;
  }
  if (params.accumulate != 0u) { value += dx[at]; }
  dx[at] = value;
}
