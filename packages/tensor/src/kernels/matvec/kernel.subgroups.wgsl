// y [M, N] (+)= x [M, K] * weight [N, K]^T (+ bias [N]) for M <= 8, K % 8 == 0; row-sums.wgsl follows.
// A workgroup makes GROUPS groups of four outputs. Subgroup s works on group s % GROUPS; where there are more subgroups
// than groups, those of one group share K. So any subgroup size up to THREADS / GROUPS does.
enable subgroups;

override GROUPS: u32 = 1;
override SLOTS: u32 = 512; // ROWS times the most subgroups that there can be; memory is zeroed before each run
const THREADS = 256u;

var<workgroup> partial: array<vec4<f32>, SLOTS>; // [subgroup, m]

@compute @workgroup_size(THREADS)
fn matvec(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
          @builtin(local_invocation_index) thread: u32,
          @builtin(subgroup_size) size: u32, @builtin(subgroup_invocation_id) lane: u32) {
  let first = (group.x + group.y * groups.x) * GROUPS * 4u;
  let subgroup = thread / size;
  let parts = THREADS / size / GROUPS;
  var sums: Sums;
  row_sums(first + (subgroup % GROUPS) * 4u, subgroup / GROUPS * size + lane, parts * size, &sums);
  for (var m = 0u; m < ROWS; m++) {
    let total = subgroupAdd(sums[m]);
    if (lane == 0u) { partial[subgroup * ROWS + m] = total; }
  }
  workgroupBarrier();
  // At most 8 groups of 4 outputs for 8 rows: as many as there are invocations.
  if (thread < GROUPS * 4u * ROWS) {
    let m = thread / (GROUPS * 4u);
    let n = thread % (GROUPS * 4u);
    var total = 0.0;
    for (var part = 0u; part < parts; part++) { total += partial[(part * GROUPS + n / 4u) * ROWS + m][n % 4u]; }
    store(m, first + n, total);
  }
}
