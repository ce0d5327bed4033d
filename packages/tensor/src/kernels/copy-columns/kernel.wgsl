// target (+)= source, one invocation an element; rows of both at strides of their own.

struct Params {
  rows: u32, D: u32, sourceOffset: u32, sourceStride: u32, targetOffset: u32, targetStride: u32, accumulate: u32,
}

@group(0) @binding(0) var<storage, read> source: array<f32>;   // rows of D at sourceStride
@group(0) @binding(1) var<storage, read_write> to: array<f32>; // rows of D at targetStride
@group(0) @binding(2) var<uniform> params: Params;

const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn copy_columns(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                @builtin(local_invocation_index) thread: u32) {
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  if (index >= params.rows * params.D) { return; }
  let row = index / params.D;
  let d = index % params.D;
  let value = source[params.sourceOffset + row * params.sourceStride + d];
  let at = params.targetOffset + row * params.targetStride + d;
  if (params.accumulate != 0u) {
    to[at] += value;
  } else {
    to[at] = value;
  }
}
