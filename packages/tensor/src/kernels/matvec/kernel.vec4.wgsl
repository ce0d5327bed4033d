// y [M, N] (+)= x [M, K] * weight [N, K]^T (+ bias [N]) for M <= 8, K % 8 == 0; row-sums.wgsl follows.
// Without subgroups: 32 invocations make four outputs and add up through workgroup memory; a workgroup makes 16.

const THREADS = 128u;
const LANES = 32u;

var<workgroup> partial: array<vec4<f32>, THREADS>;

@compute @workgroup_size(THREADS)
fn matvec(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
          @builtin(local_invocation_index) thread: u32) {
  let first = (group.x + group.y * groups.x) * (THREADS / LANES) * 4u;
  let lane = thread % LANES;
  var sums: Sums;
  row_sums(first + thread / LANES * 4u, lane, LANES, &sums);
  for (var m = 0u; m < ROWS; m++) {
    workgroupBarrier(); // the row before has been read
    partial[thread] = sums[m];
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if (lane < half) { partial[thread] += partial[thread + half]; }
    }
    workgroupBarrier();
    if (thread < THREADS / LANES * 4u) { store(m, first + thread, partial[thread / 4u * LANES][thread % 4u]); }
  }
}
