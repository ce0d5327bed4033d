// y [M, N] (+)= x [M, K] * weight [N, K]^T (+ bias [N]) for M <= 8, K % 4 == 0, for software adapters; matmul's
// columns.wgsl follows.

@compute @workgroup_size(THREADS)
fn matvec(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
          @builtin(local_invocation_index) thread: u32) {
  columns(0u, (group.x + group.y * groups.x) * THREADS * COLUMNS + thread);
}
