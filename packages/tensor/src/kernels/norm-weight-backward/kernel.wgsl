// partials[part, 0 | 1, column] = sums over the part's rows of du * n and of du, an invocation a column of a part;
// du = dy (* sigmoid(gate)), n = (x - mean) / deviation of its head.

struct Params { rows: u32, NH: u32, DH: u32, chunk: u32, gateOffset: u32, gateStride: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;              // [rows, NH * DH]
@group(0) @binding(1) var<storage, read> gate: array<f32>;           // rows of NH * DH at gateStride, when HAS_GATE
@group(0) @binding(2) var<storage, read> dy: array<f32>;             // [rows, NH * DH]
@group(0) @binding(3) var<storage, read> stats: array<f32>;          // [rows, NH, 2]: mean, reciprocal deviation
@group(0) @binding(4) var<storage, read_write> partials: array<f32>; // [parts, 2, NH * DH]
@group(0) @binding(5) var<uniform> params: Params;

override HAS_GATE: u32 = 0;
const THREADS = 64u;

// exp never overflows here, whatever the gate; NaN stays NaN.
fn sigmoid(value: f32) -> f32 {
  let e = exp(-abs(value));
  return select(1.0, e, value < 0.0) / (1.0 + e);
}

@compute @workgroup_size(THREADS)
fn norm_weight_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                        @builtin(local_invocation_index) thread: u32) {
  let D = params.NH * params.DH;
  let blocks = (D + THREADS - 1u) / THREADS;
  let index = group.x + group.y * groups.x;
  let part = index / blocks;
  let column = (index % blocks) * THREADS + thread;
  let first = part * params.chunk;
  if (column >= D || first >= params.rows) { return; }
  let head = column / params.DH;
  var sums = vec2(0.0);
  for (var row = first; row < min(params.rows, first + params.chunk); row++) {
    let at = row * D + column;
    let stat = 2u * (row * params.NH + head);
    var du = dy[at];
    if (HAS_GATE != 0u) { du *= sigmoid(gate[params.gateOffset + row * params.gateStride + column]); }
    sums += vec2(du * (x[at] - stats[stat]) * stats[stat + 1u], du);
  }
  partials[2u * part * D + column] = sums.x;
  partials[(2u * part + 1u) * D + column] = sums.y;
}
