// y [splits, D] (+)= sums over the rows of each split of x [rows, D].
// A workgroup takes 32 columns of one split; LANES invocations share the rows of a column.

struct Params {
  rows: u32, D: u32, xOffset: u32, xStride: u32, rowsPerSplit: u32, yOffset: u32, accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;       // rows of D at xStride from xOffset
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [splits, D] from yOffset
@group(0) @binding(2) var<uniform> params: Params;

override LANES: u32 = 8; // a power of two; 1 on software adapters, where barriers are dear
const COLUMNS = 32u;

var<workgroup> partial: array<f32, LANES * COLUMNS>;

@compute @workgroup_size(COLUMNS, LANES)
fn column_sums(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_id) id: vec3<u32>) {
  let index = group.x + group.y * groups.x;
  let blocks = (params.D + COLUMNS - 1u) / COLUMNS;
  let split = index / blocks;
  let d = index % blocks * COLUMNS + id.x;
  let begin = split * params.rowsPerSplit;
  // Splits past the end have no rows and store nothing, but take part in the barriers.
  let end = min(begin + params.rowsPerSplit, params.rows);
  var sum = 0.0;
  if (d < params.D) {
    for (var row = begin + id.y; row < end; row += LANES) {
      sum += x[params.xOffset + row * params.xStride + d];
    }
  }
  if (LANES > 1u) {
    let place = id.y * COLUMNS + id.x;
    partial[place] = sum;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if (id.y < half) { partial[place] += partial[place + half * COLUMNS]; }
    }
    sum = partial[place];
  }
  if (id.y == 0u && d < params.D && begin < params.rows) {
    let at = params.yOffset + split * params.D + d;
    if (params.accumulate != 0u) { sum += y[at]; }
    y[at] = sum;
  }
}
