// S steps of the sLSTM cell for one head and four rows of the batch; nothing but R is shared between workgroups.
//   raw = x_t + R y_{t-1} + bias  (gates i, f, z, o);  i', f', m_t: see unit_gates
//   c_t = f' c_{t-1} + i' tanh(z);  n_t = f' n_{t-1} + i';  y_t = sigmoid(o) c_t / n_t
// An invocation is a unit (of UNITS at a time) and one of four slices of R's inputs. It sums its slice of R y for four
// rows; then it adds the four slices up for one row, that of its slice's number, and advances that row's unit. Each
// invocation reads and writes only its own units' states in `state`, early enough that the products hide the way there.

struct Params {
  x: Layout, y: Layout,
  x_gate: u32, B: u32, S: u32, NH: u32, DH: u32, packed: u32, clip: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;              // [4, NH, DH]
@group(0) @binding(3) var<storage, read_write> state: array<f32>;       // y | c | n | m, each [B, NH * DH]
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> saved: array<f32>;       // state, then [B, S, 7, NH * DH]
@group(0) @binding(6) var<uniform> params: Params;

override UNITS: u32 = 1;
override Y_WORDS: u32 = 4;            // at least 4 DH
override RESIDENT: u32 = 0;           // whether R is kept in workgroup memory
override RESIDENT_WEIGHTS: u32 = 1;   // at least DH * DH where it is
override HAS_SAVED: u32 = 0;
const ROWS = 4u;
const SLICES = 4u;                    // as many as rows
override THREADS = SLICES * UNITS;
override PARTIALS = ROWS * SLICES * UNITS;

var<workgroup> previous: array<f32, Y_WORDS>;                      // y_{t-1} [DH, rows]
var<workgroup> partials: array<vec4<f32>, PARTIALS>;               // [rows, slices, units] of the four gates
var<workgroup> resident: array<vec4<f32>, RESIDENT_WEIGHTS>;       // [DH_in, DH_out]

fn weight(head: u32, k: u32, unit: u32) -> vec4<f32> {
  if (RESIDENT != 0u) { return resident[k * params.DH + unit]; }
  return stored_weight(head, k, unit);
}

@compute @workgroup_size(THREADS)
fn slstm_forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                 @builtin(local_invocation_index) thread: u32) {
  let tiles = (params.B + ROWS - 1u) / ROWS;
  let work = group.x + group.y * groups.x;
  if (work >= tiles * params.NH) { return; }
  let head = work % params.NH;
  let slice = thread / UNITS;
  let lane = thread % UNITS;
  let b = (work / params.NH) * ROWS + slice;
  let DH = params.DH;
  let width = params.NH * DH;
  let plane = params.B * width;
  let own = b * width + head * DH;     // unit 0 of this row and head within a plane
  let passes = (DH + UNITS - 1u) / UNITS;
  let span = (DH + SLICES - 1u) / SLICES;
  let k_first = min(slice * span, DH);
  let k_end = min(k_first + span, DH);

  if (RESIDENT != 0u) {
    for (var place = thread; place < DH * DH; place += THREADS) {
      resident[place] = stored_weight(head, place / DH, place % DH);
    }
  }
  for (var unit = lane; unit < DH; unit += UNITS) {
    var value = 0.0;
    if (b < params.B) {
      value = state[own + unit];
      if (HAS_SAVED != 0u) {
        for (var p = 0u; p < 4u; p++) { saved[p * plane + own + unit] = state[p * plane + own + unit]; }
      }
    }
    previous[unit * ROWS + slice] = value;
  }
  workgroupBarrier();

  for (var s = 0u; s < params.S; s++) {
    for (var pass_ = 0u; pass_ < passes; pass_++) {
      let unit = pass_ * UNITS + lane;
      let live = unit < DH && b < params.B;
      var raw = vec4(0.0);
      var c = 0.0;
      var n = 0.0;
      var m = 0.0;
      if (live) {
        let from_x = at(params.x, b, head, s) + unit;
        let from_bias = head * DH + unit;
        raw = vec4(x[from_x], x[from_x + params.x_gate], x[from_x + 2u * params.x_gate], x[from_x + 3u * params.x_gate])
            + vec4(bias[from_bias], bias[from_bias + width], bias[from_bias + 2u * width], bias[from_bias + 3u * width]);
        c = state[plane + own + unit];
        n = state[2u * plane + own + unit];
        m = state[3u * plane + own + unit];
      }

      var sum0 = vec4(0.0);
      var sum1 = vec4(0.0);
      var sum2 = vec4(0.0);
      var sum3 = vec4(0.0);
      if (unit < DH) {
        for (var k = k_first; k < k_end; k++) {
          let w = weight(head, k, unit);
          sum0 += w * previous[k * ROWS];
          sum1 += w * previous[k * ROWS + 1u];
          sum2 += w * previous[k * ROWS + 2u];
          sum3 += w * previous[k * ROWS + 3u];
        }
      }
      partials[slice * UNITS + lane] = sum0;
      partials[(SLICES + slice) * UNITS + lane] = sum1;
      partials[(2u * SLICES + slice) * UNITS + lane] = sum2;
      partials[(3u * SLICES + slice) * UNITS + lane] = sum3;
      workgroupBarrier();

      if (live) {
        let row = slice * SLICES * UNITS + lane;
        raw += partials[row] + partials[row + UNITS] + partials[row + 2u * UNITS] + partials[row + 3u * UNITS];
        let i = bounded(raw.x);
        let f = bounded(raw.y);
        let gates = unit_gates(i, f, n, m);
        c = gates.forget * c + gates.input * tanh_of(raw.z);
        n = gates.forget * n + gates.input;
        var value = sigmoid_of(raw.w) * c / n;
        if (params.clip > 0.0) { value = larger(smaller(value, params.clip), -params.clip); }
        state[own + unit] = value;
        state[plane + own + unit] = c;
        state[2u * plane + own + unit] = n;
        state[3u * plane + own + unit] = gates.m;
        y[at(params.y, b, head, s) + unit] = value;
        if (HAS_SAVED != 0u) {
          let keep = 4u * plane + (b * params.S + s) * 7u * width + head * DH + unit;
          saved[keep] = i;
          saved[keep + width] = f;
          saved[keep + 2u * width] = raw.z;
          saved[keep + 3u * width] = raw.w;
          saved[keep + 4u * width] = c;
          saved[keep + 5u * width] = n;
          saved[keep + 6u * width] = gates.m;
        }
      }
      // All products of the step are done by now, and y_{t-1} may go.
      if (pass_ + 1u == passes && b < params.B) {
        for (var next = lane; next < DH; next += UNITS) { previous[next * ROWS + slice] = state[own + next]; }
      }
      workgroupBarrier();
    }
  }
}
