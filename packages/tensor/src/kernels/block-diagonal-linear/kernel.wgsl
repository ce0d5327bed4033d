// y[row, b * O + o] (+)= bias + sum over i of weight[b, o, i] * x[row, b * I + i]; an invocation makes four columns of four
// rows.

struct Params {
  rows: u32, NB: u32, I: u32, O: u32, xOffset: u32, xStride: u32, yOffset: u32, yStride: u32,
  transposed: u32, accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;       // rows of NB * I at xStride
@group(0) @binding(1) var<storage, read> weight: array<f32>;  // [NB, O, I], or [NB, I, O] when TRANSPOSED
@group(0) @binding(2) var<storage, read> bias: array<f32>;    // [NB * O], when HAS_BIAS
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // rows of NB * O at yStride
@group(0) @binding(4) var<uniform> params: Params;

override HAS_BIAS: u32 = 0;
override TRANSPOSED: u32 = 0;
const THREADS = 64u;

fn store(row: u32, first: u32, column: u32, values: vec4<f32>) {
  if (row >= params.rows) { return; }
  let start = params.yOffset + row * params.yStride + column;
  for (var o = 0u; o < min(4u, params.O - first); o++) {
    if (params.accumulate != 0u) {
      y[start + o] += values[o];
    } else {
      y[start + o] = values[o];
    }
  }
}

@compute @workgroup_size(THREADS)
fn block_diagonal_linear(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                         @builtin(local_invocation_index) thread: u32) {
  let I = params.I;
  let O = params.O;
  let quads = (O + 3u) / 4u;
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  let first = 4u * (index % quads);
  let b = (index / quads) % params.NB;
  let row = 4u * (index / (quads * params.NB));
  if (row >= params.rows) { return; }
  // Past the end, the last row and column are computed again and not stored.
  let rows = min(vec4(row, row + 1u, row + 2u, row + 3u), vec4(params.rows - 1u));
  let starts = vec4(params.xOffset) + rows * params.xStride + b * I;
  let columns = min(vec4(first, first + 1u, first + 2u, first + 3u), vec4(O - 1u));
  let base = b * I * O;

  var start = vec4(0.0);
  if (HAS_BIAS != 0u) {
    let c = vec4(b * O) + columns;
    start = vec4(bias[c.x], bias[c.y], bias[c.z], bias[c.w]);
  }
  var sums0 = start;
  var sums1 = start;
  var sums2 = start;
  var sums3 = start;
  for (var i = 0u; i < I; i++) {
    var at: vec4<u32>;
    if (TRANSPOSED != 0u) {
      at = vec4(base + i * O) + columns;
    } else {
      at = vec4(base + i) + columns * I;
    }
    let weights = vec4(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
    sums0 += weights * x[starts.x + i];
    sums1 += weights * x[starts.y + i];
    sums2 += weights * x[starts.z + i];
    sums3 += weights * x[starts.w + i];
  }
  let column = b * O + first;
  store(row, first, column, sums0);
  store(row + 1u, first, column, sums1);
  store(row + 2u, first, column, sums2);
  store(row + 3u, first, column, sums3);
}
