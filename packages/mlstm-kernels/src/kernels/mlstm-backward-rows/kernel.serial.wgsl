// The same as the plain form, an invocation taking all of a chunk, without barriers: for software adapters.

struct Params {
  f: Layout, i: Layout, h: Layout, dh: Layout, readout: Layout, readout_plane: u32,
  B: u32, NH: u32, S: u32, DHQK: u32, DHHV: u32, L: u32, sigmoid: u32, normalize: u32, eps: f32,
}

@group(0) @binding(0) var<storage, read> f: array<f32>;
@group(0) @binding(1) var<storage, read> i: array<f32>;
@group(0) @binding(2) var<storage, read> h: array<f32>;
@group(0) @binding(3) var<storage, read> dh: array<f32>;
@group(0) @binding(4) var<storage, read> readout: array<f32>;     // m | denominator
@group(0) @binding(5) var<storage, read> entering: array<f32>;    // C | n | m, each [B, NH, NC, ...]
@group(0) @binding(6) var<storage, read> last: array<f32>;        // C | n | m
@group(0) @binding(7) var<storage, read_write> rows: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

const THREADS = 4u;

@compute @workgroup_size(THREADS)
fn mlstm_backward_rows(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                       @builtin(local_invocation_index) thread: u32) {
  let chunks = (params.S + params.L - 1u) / params.L;
  let cells = params.B * params.NH;
  let work = group.x + group.y * groups.x;
  let entry = work * THREADS + thread;
  if (entry >= cells * chunks) { return; }
  let cell = entry / chunks;
  let b = cell / params.NH;
  let head = cell % params.NH;
  let first = (entry % chunks) * params.L;
  let end = min(first + params.L, params.S);
  let state = params.DHQK * (params.DHHV + 1u);
  var m_entering = entering[cells * chunks * state + entry];
  var m_leaving = 0.0;
  if (entry % chunks + 1u < chunks) {
    m_leaving = entering[cells * chunks * state + entry + 1u];
  } else {
    m_leaving = last[cells * state + cell];
  }
  if (params.sigmoid != 0u) {
    m_entering = 0.0;
    m_leaving = 0.0;
  }
  let plane = cells * params.S;

  var before = 0.0;
  var m_before = m_entering;
  for (var j = first; j < end; j++) {
    let h_start = at(params.h, b, head, j);
    let dh_start = at(params.dh, b, head, j);
    var dot = 0.0;
    for (var e = 0u; e < params.DHHV; e++) { dot += h[h_start + e] * dh[dh_start + e]; }
    let log_forget = log_forget_gate(f[at(params.f, b, head, j)]);
    let log_input = log_input_gate(i[at(params.i, b, head, j)], params.sigmoid);
    before += log_forget;
    let place = at(params.readout, b, head, j);
    let m = select(readout[place], 0.0, params.sigmoid != 0u);
    let denominator = readout[params.readout_plane + place];
    let floor = exp(-m);
    var inverse = 1.0;
    var gradient = 0.0;
    var pull = 0.0;
    if (params.normalize != 0u) {
      inverse = 1.0 / (larger(abs(denominator), floor) + params.eps);
      if (params.sigmoid == 0u) { pull = -params.eps * dot * inverse; }
      // The other way round, a NaN would pass for a denominator that does not matter.
      if (!(abs(denominator) <= floor)) { gradient = -sign(denominator) * dot * inverse; }
    }
    let row = cell * params.S + j;
    rows[LOG_FORGET * plane + row] = log_forget;
    rows[LOG_INPUT * plane + row] = log_input;
    rows[STABILIZER * plane + row] = m;
    rows[INVERSE * plane + row] = inverse;
    rows[DENOMINATOR * plane + row] = gradient;
    rows[PULL * plane + row] = pull;
    rows[STARTS * plane + row] = select(1.0, 0.0, log_forget + m_before > log_input);
    rows[CARRIED * plane + row] = exp_down(before + m_entering - m);
    m_before = m;
  }
  rows[DECAY * plane + entry] = exp_down(before + m_entering - m_leaving);
  var after = 0.0;
  for (var back = first; back < end; back++) {
    let t = end - 1u - (back - first);
    rows[WEIGHT * plane + cell * params.S + t] =
      exp_down(log_input_gate(i[at(params.i, b, head, t)], params.sigmoid) + after - m_leaving);
    after += log_forget_gate(f[at(params.f, b, head, t)]);
  }
}
