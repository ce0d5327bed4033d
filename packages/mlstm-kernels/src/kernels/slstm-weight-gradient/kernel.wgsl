// For one head, 64 of its 4 DH gate rows r = (gate, o), 64 of its DH inputs d and one range of the B S rows t:
//   dR[r, d] = sum_t dx[t, r] y_{t-1}[t, d];  dbias[r] = sum_t dx[t, r]
// An invocation sums 4 x 4 of the tile. Sixteen rows t at a time are brought to workgroup memory.

struct Params {
  dx: Layout, y: Layout,
  dx_gate: u32, B: u32, S: u32, NH: u32, DH: u32, rows: u32, recurrent: u32,
}

@group(0) @binding(0) var<storage, read> dx: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> saved: array<f32>;                // starts with the initial y [B, NH * DH]
@group(0) @binding(3) var<storage, read_write> partials: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

const THREADS = 256u;
const TILE = 64u;
const DEPTH = 16u;
const QUADS = 16u;   // TILE / 4

var<workgroup> gradients: array<vec4<f32>, DEPTH * QUADS>;   // [t, r / 4]
var<workgroup> inputs: array<vec4<f32>, DEPTH * QUADS>;      // [t, d / 4]

@compute @workgroup_size(THREADS)
fn slstm_weight_gradient(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                         @builtin(local_invocation_index) thread: u32) {
  let DH = params.DH;
  let total = params.B * params.S;
  let splits = (total + params.rows - 1u) / params.rows;
  let row_tiles = (4u * DH + TILE - 1u) / TILE;
  // The bias alone needs no inputs.
  let column_tiles = select(1u, (DH + TILE - 1u) / TILE, params.recurrent != 0u);
  var work = group.x + group.y * groups.x;
  if (work >= splits * params.NH * row_tiles * column_tiles) { return; }
  let column0 = (work % column_tiles) * TILE;
  work /= column_tiles;
  let row0 = (work % row_tiles) * TILE;
  work /= row_tiles;
  let head = work % params.NH;
  let split = work / params.NH;
  let t_end = min(total, (split + 1u) * params.rows);

  let quad = thread % QUADS;
  let depth = thread / QUADS;
  var sum0 = vec4(0.0);
  var sum1 = vec4(0.0);
  var sum2 = vec4(0.0);
  var sum3 = vec4(0.0);
  var bias = vec4(0.0);      // of rows 4 quad …, in the first QUADS invocations
  for (var t0 = split * params.rows; t0 < t_end; t0 += DEPTH) {
    let t = t0 + depth;
    var gradient = vec4(0.0);
    var input = vec4(0.0);
    if (t < t_end) {
      let b = t / params.S;
      let s = t % params.S;
      let source = at(params.dx, b, head, s);
      for (var j = 0u; j < 4u; j++) {
        let r = row0 + quad * 4u + j;
        if (r < 4u * DH) { gradient[j] = dx[source + (r / DH) * params.dx_gate + r % DH]; }
      }
      if (params.recurrent != 0u) {
        for (var j = 0u; j < 4u; j++) {
          let d = column0 + quad * 4u + j;
          if (d < DH) {
            if (s == 0u) { input[j] = saved[(b * params.NH + head) * DH + d]; }
            else { input[j] = y[at(params.y, b, head, s - 1u) + d]; }
          }
        }
      }
    }
    gradients[thread] = gradient;
    inputs[thread] = input;
    workgroupBarrier();
    if (params.recurrent != 0u) {
      for (var k = 0u; k < DEPTH; k++) {
        let g = gradients[k * QUADS + depth];
        let v = inputs[k * QUADS + quad];
        sum0 += g.x * v;
        sum1 += g.y * v;
        sum2 += g.z * v;
        sum3 += g.w * v;
      }
    }
    if (thread < QUADS && column0 == 0u) {
      for (var k = 0u; k < DEPTH; k++) { bias += gradients[k * QUADS + thread]; }
    }
    workgroupBarrier();
  }

  let weights = 4u * DH * DH;
  let start = split * params.NH * (weights + 4u * DH);
  if (params.recurrent != 0u) {
    for (var i = 0u; i < 4u; i++) {
      let r = row0 + depth * 4u + i;
      var sum = sum0;
      if (i == 1u) { sum = sum1; }
      if (i == 2u) { sum = sum2; }
      if (i == 3u) { sum = sum3; }
      for (var j = 0u; j < 4u; j++) {
        let d = column0 + quad * 4u + j;
        if (r < 4u * DH && d < DH) { partials[start + head * weights + r * DH + d] = sum[j]; }
      }
    }
  }
  if (thread < QUADS && column0 == 0u) {
    for (var j = 0u; j < 4u; j++) {
      let r = row0 + thread * 4u + j;
      if (r < 4u * DH) { partials[start + params.NH * weights + ((r / DH) * params.NH + head) * DH + r % DH] = bias[j]; }
    }
  }
}
