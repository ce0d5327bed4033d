// y [M, N] (+)= x [M, K] * weight [N, K]^T (+ bias [N]), K % 4 == 0, for software adapters; columns.wgsl follows.

@compute @workgroup_size(THREADS)
fn matmul(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  columns(group.x * ROWS, group.y * THREADS * COLUMNS + thread);
}
