// The sLSTM backwards over S steps, for one head and four rows of the batch. With the gradients of y, c, n of a step:
//   dc += dy sigmoid(o)/n;  dn -= dy y/n
//   di = i' (tanh(z) dc + dn);  df = f' (c_{t-1} dc + n_{t-1} dn) sigmoid(-f);  dz = i' dc (1 - tanh(z)^2)
//   do = dy y sigmoid(-o);  dc_{t-1} = f' dc;  dn_{t-1} = f' dn;  dy_{t-1} = R^T (di, df, dz, do)
// The gradient of m is carried as `dm`, that of m while c exp(m) and n exp(m) stay as they are: y does not see it, and it
// goes to i or to f and m_{t-1}, whichever was the larger.
// An invocation is a unit (of UNITS at a time) and one of four slices of R's outputs. It sums its slice of R^T d for four
// rows; then it adds the four slices up for one row, that of its slice's number, and goes a step back in that row's unit.

struct Params {
  dy: Layout, dx: Layout,
  dx_gate: u32, B: u32, S: u32, NH: u32, DH: u32, clip: f32, cut: u32, recurrent_clip: f32,
}

@group(0) @binding(0) var<storage, read> recurrent: array<vec4<f32>>;    // [NH, DH_out, DH_in]
@group(0) @binding(1) var<storage, read> saved: array<f32>;              // state, then [B, S, 7, NH * DH]
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> carried: array<f32>;      // y | c | n | m, each [B, NH * DH]
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

override UNITS: u32 = 1;
override SHARED: u32 = 1;             // whether a step's gate gradients fit workgroup memory; else they are read from dx
override SHARED_GATES: u32 = 4;       // at least 4 DH where they do
override HAS_DY: u32 = 1;
const ROWS = 4u;
const SLICES = 4u;                    // as many as rows
override THREADS = SLICES * UNITS;

var<workgroup> gates: array<vec4<f32>, SHARED_GATES>;     // [DH, rows]
var<workgroup> partials: array<vec4<f32>, THREADS>;       // [slices, units] of the four rows

struct Place { head: u32, first_row: u32, s: u32 }

fn gate_gradient(place: Place, unit: u32, row: u32) -> vec4<f32> {
  if (SHARED != 0u) { return gates[unit * ROWS + row]; }
  let b = place.first_row + row;
  if (b >= params.B) { return vec4(0.0); }
  let source = at(params.dx, b, place.head, place.s) + unit;
  return vec4(dx[source], dx[source + params.dx_gate], dx[source + 2u * params.dx_gate], dx[source + 3u * params.dx_gate]);
}

@compute @workgroup_size(THREADS)
fn slstm_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                  @builtin(local_invocation_index) thread: u32) {
  let tiles = (params.B + ROWS - 1u) / ROWS;
  let work = group.x + group.y * groups.x;
  if (work >= tiles * params.NH) { return; }
  let head = work % params.NH;
  let first_row = (work / params.NH) * ROWS;
  let slice = thread / UNITS;
  let lane = thread % UNITS;
  let b = first_row + slice;
  let DH = params.DH;
  let width = params.NH * DH;
  let plane = params.B * width;
  let own = b * width + head * DH;     // unit 0 of this row and head within a plane
  let passes = (DH + UNITS - 1u) / UNITS;
  let span = (DH + SLICES - 1u) / SLICES;
  let o_first = min(slice * span, DH);
  let o_end = min(o_first + span, DH);
  let kept0 = 4u * plane + b * params.S * 7u * width + head * DH;    // what was saved of this row's step 0

  if (b < params.B) {
    let last = kept0 + (params.S - 1u) * 7u * width;
    for (var unit = lane; unit < DH; unit += UNITS) {
      carried[3u * plane + own + unit] -= carried[plane + own + unit] * saved[last + 4u * width + unit]
                                        + carried[2u * plane + own + unit] * saved[last + 5u * width + unit];
    }
  }

  for (var left = params.S; left > 0u; left--) {
    let s = left - 1u;
    for (var pass_ = 0u; pass_ < passes; pass_++) {
      let unit = pass_ * UNITS + lane;
      if (unit < DH) {
        var gradient = vec4(0.0);
        if (b < params.B) {
          let kept = kept0 + s * 7u * width + unit;
          var before = plane + own + unit;     // c, n and m of the step before, `stride` apart
          var stride = plane;
          if (s > 0u) { before = kept - 3u * width; stride = width; }
          let i = saved[kept];
          let f = saved[kept + width];
          let z = saved[kept + 2u * width];
          let o = saved[kept + 3u * width];
          let c = saved[kept + 4u * width];
          let n = saved[kept + 5u * width];
          let m = saved[kept + 6u * width];
          let c0 = saved[before];
          let n0 = saved[before + stride];
          let m0 = saved[before + 2u * stride];
          var given = carried[own + unit];
          if (HAS_DY != 0u) { given += dy[at(params.dy, b, head, s) + unit]; }
          var dm = carried[3u * plane + own + unit];

          let unit_now = unit_gates(i, f, n0, m0);
          let open = sigmoid_of(o);
          let y = open * c / n;
          if (params.clip > 0.0 && abs(y) > params.clip) { given = 0.0; }
          let dc = carried[plane + own + unit] + given * open / n;
          let dn = carried[2u * plane + own + unit] - given * y / n;
          let dz = unit_now.input * dc * tanh_slope(z);
          let d_o = given * y * sigmoid_of(-o);
          var di = unit_now.input * (tanh_of(z) * dc + dn);
          var df = unit_now.forget * (c0 * dc + n0 * dn) * sigmoid_of(-f);
          if (unit_now.held) {
            // c and n do not depend on f and the old m, and m is i itself.
            di = dm + c * dc + n * dn;
            df = 0.0;
            dm = -c0 * dc;
          } else if (m == i) {
            di += dm;
            dm = 0.0;
          } else {
            df += dm * sigmoid_of(-f);
          }
          carried[plane + own + unit] = unit_now.forget * dc;
          carried[2u * plane + own + unit] = unit_now.forget * dn;
          carried[3u * plane + own + unit] = dm;
          gradient = vec4(di, df, dz, d_o);
          let out = at(params.dx, b, head, s) + unit;
          dx[out] = di;
          dx[out + params.dx_gate] = df;
          dx[out + 2u * params.dx_gate] = dz;
          dx[out + 3u * params.dx_gate] = d_o;
        }
        if (SHARED != 0u) { gates[unit * ROWS + slice] = gradient; }
      }
    }
    if (params.cut != 0u) {
      if (b < params.B) {
        for (var unit = lane; unit < DH; unit += UNITS) { carried[own + unit] = 0.0; }
      }
      continue;
    }
    workgroupBarrier();
    if (SHARED == 0u) { storageBarrier(); }

    let place = Place(head, first_row, s);
    for (var pass_ = 0u; pass_ < passes; pass_++) {
      let unit = pass_ * UNITS + lane;
      var sum = vec4(0.0);
      if (unit < DH) {
        for (var o = o_first; o < o_end; o++) {
          let w = recurrent[(head * DH + o) * DH + unit];
          sum += vec4(dot(w, gate_gradient(place, o, 0u)), dot(w, gate_gradient(place, o, 1u)),
                      dot(w, gate_gradient(place, o, 2u)), dot(w, gate_gradient(place, o, 3u)));
        }
      }
      partials[thread] = sum;
      workgroupBarrier();
      if (unit < DH && b < params.B) {
        var back = partials[lane][slice] + partials[UNITS + lane][slice]
                 + partials[2u * UNITS + lane][slice] + partials[3u * UNITS + lane][slice];
        if (params.recurrent_clip > 0.0) {
          back = larger(smaller(back, params.recurrent_clip), -params.recurrent_clip);
        }
        carried[own + unit] = back;
      }
      workgroupBarrier();
    }
  }

  if (b < params.B) {
    for (var unit = lane; unit < DH; unit += UNITS) {
      let first = plane + own + unit;
      carried[3u * plane + own + unit] += carried[first] * saved[first] + carried[first + plane] * saved[first + plane];
    }
  }
}
