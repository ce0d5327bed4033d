// y[n] (+)= sum over parts of partials[part, offset + n]; LANES invocations share a column.

struct Params { parts: u32, stride: u32, offset: u32, N: u32, accumulate: u32 }

@group(0) @binding(0) var<storage, read> partials: array<f32>; // [parts, stride]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;  // [N]
@group(0) @binding(2) var<uniform> params: Params;

// A power of two; with 1 there is no barrier, which suits software adapters.
override LANES: u32 = 16;
const THREADS = 256u;

var<workgroup> shares: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn sum_partials(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                @builtin(local_invocation_index) thread: u32) {
  let columns = THREADS / LANES;
  // Neighbours read neighbouring columns.
  let lane = thread / columns;
  let n = (group.x + group.y * groups.x) * columns + thread % columns;
  var sum = 0.0;
  if (n < params.N) {
    for (var part = lane; part < params.parts; part += LANES) {
      sum += partials[part * params.stride + params.offset + n];
    }
  }
  shares[thread] = sum;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { shares[thread] += shares[thread + half * columns]; }
  }
  if (lane != 0u || n >= params.N) { return; }
  if (params.accumulate != 0u) {
    y[n] += shares[thread];
  } else {
    y[n] = shares[thread];
  }
}
