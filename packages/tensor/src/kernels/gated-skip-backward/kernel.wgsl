// dh (+)= dy * silu(z), da (+)= dy * silu(z) * skip, dz (+)= dy * (h + skip * a) * silu'(z), one invocation an element.
// Compiled with activation.wgsl.

struct Params {
  rows: u32, D: u32, zOffset: u32, zStride: u32, dzOffset: u32, dzStride: u32,
  accumulateH: u32, accumulateA: u32, accumulateZ: u32,
}

@group(0) @binding(0) var<storage, read> h: array<f32>;        // [rows, D]
@group(0) @binding(1) var<storage, read> skip: array<f32>;     // [D]
@group(0) @binding(2) var<storage, read> a: array<f32>;        // [rows, D]
@group(0) @binding(3) var<storage, read> z: array<f32>;        // rows of D at zStride
@group(0) @binding(4) var<storage, read> dy: array<f32>;       // [rows, D]
@group(0) @binding(5) var<storage, read_write> dh: array<f32>; // [rows, D], when HAS_DH
@group(0) @binding(6) var<storage, read_write> da: array<f32>; // [rows, D], when HAS_DA
@group(0) @binding(7) var<storage, read_write> dz: array<f32>; // rows of D at dzStride, when HAS_DZ
@group(0) @binding(8) var<uniform> params: Params;

override HAS_DH: u32 = 0;
override HAS_DA: u32 = 0;
override HAS_DZ: u32 = 0;
const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn gated_skip_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                       @builtin(local_invocation_index) thread: u32) {
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  if (index >= params.rows * params.D) { return; }
  let row = index / params.D;
  let d = index % params.D;
  let open = silu(z[params.zOffset + row * params.zStride + d]);
  let g = dy[index] * open.value;
  if (HAS_DH != 0u) {
    var value = g;
    if (params.accumulateH != 0u) { value += dh[index]; }
    dh[index] = value;
  }
  if (HAS_DA != 0u) {
    var value = g * skip[d];
    if (params.accumulateA != 0u) { value += da[index]; }
    da[index] = value;
  }
  if (HAS_DZ != 0u) {
    var value = dy[index] * (h[index] + skip[d] * a[index]) * open.slope;
    let at = params.dzOffset + row * params.dzStride + d;
    if (params.accumulateZ != 0u) { value += dz[at]; }
    dz[at] = value;
  }
}
