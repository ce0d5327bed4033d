// max [1] = the largest of its bits and those of all |x|, x [rows, D]: floats without sign are ordered as their bits are,
// NaN above infinity. The order in which workgroups come changes nothing.

struct Params { rows: u32, D: u32, xOffset: u32, xStride: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>; // rows at xOffset + row * xStride
@group(0) @binding(1) var<storage, read_write> largest: array<atomic<u32>, 1>;
@group(0) @binding(2) var<uniform> params: Params;

const THREADS = 256u;

var<workgroup> bits: array<u32, THREADS>;

@compute @workgroup_size(THREADS)
fn max_magnitude(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                 @builtin(local_invocation_index) thread: u32) {
  let count = params.rows * params.D;
  var most = 0u;
  for (var index = group.x * THREADS + thread; index < count; index += groups.x * THREADS) {
    let at = params.xOffset + (index / params.D) * params.xStride + index % params.D;
    most = max(most, bitcast<u32>(x[at]) & 0x7fffffffu);
  }
  bits[thread] = most;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { bits[thread] = max(bits[thread], bits[thread + half]); }
  }
  if (thread == 0u) { atomicMax(&largest[0], bits[0]); }
}
