// What the backward kernels know of each step, for one chunk of one (b, head). With b_j the sum of logf from the chunk's
// start to j, g over the whole chunk, m and m' the stabilisers of the states it is entered with and leaves:
//   N_j = max(|den_j|, exp(-m_j)) + eps;  dden_j = -w_j (dh_j^T h_j) / N_j,  w_j = sign(den_j) where |den_j| > exp(-m_j)
//   pull_j = -eps (dh_j^T h_j) / N_j;  starts_j = i_j >= logf_j + m_(j-1)
//   carried_j = exp(b_j + m - m_j);  weight_t = exp(i_t + (sum of logf after t) - m');  decay = exp(g + m - m')
// Steps are taken 256 at a time; sums of logf grow from the chunk's start for carried_j and from its end for weight_t, so
// that none is a difference of larger ones. 16 invocations share the product of a step's dh and h.

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

const THREADS = 256u;
const LANES = 16u;                                   // invocations that share a product

var<workgroup> products: array<f32, THREADS>;
var<workgroup> dots: array<f32, THREADS>;            // dh_j^T h_j
var<workgroup> sums: array<f32, THREADS>;            // of logf, up to j or from t on

@compute @workgroup_size(THREADS)
fn mlstm_backward_rows(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                       @builtin(local_invocation_index) thread: u32) {
  let chunks = (params.S + params.L - 1u) / params.L;
  let cells = params.B * params.NH;
  let entry = group.x + group.y * groups.x;
  if (entry >= cells * chunks) { return; }
  let cell = entry / chunks;
  let b = cell / params.NH;
  let head = cell % params.NH;
  let first = (entry % chunks) * params.L;
  let steps = min(params.L, params.S - first);
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
  let row0 = cell * params.S + first;

  var before = 0.0;
  for (var slab = 0u; slab < steps; slab += THREADS) {
    for (var part = 0u; part < min(THREADS, steps - slab); part += THREADS / LANES) {
      let step = slab + part + thread / LANES;
      var product = 0.0;
      if (step < steps) {
        let h_start = at(params.h, b, head, first + step);
        let dh_start = at(params.dh, b, head, first + step);
        for (var e = thread % LANES; e < params.DHHV; e += LANES) { product += h[h_start + e] * dh[dh_start + e]; }
      }
      workgroupBarrier();
      products[thread] = product;
      workgroupBarrier();
      if (thread < THREADS / LANES) {
        var dot = 0.0;
        for (var lane = 0u; lane < LANES; lane++) { dot += products[thread * LANES + lane]; }
        dots[part + thread] = dot;
      }
    }
    let j = slab + thread;
    var log_forget = 0.0;
    if (j < steps) { log_forget = log_forget_gate(f[at(params.f, b, head, first + j)]); }
    sums[thread] = log_forget;
    for (var reach = 1u; reach < THREADS; reach *= 2u) {
      workgroupBarrier();
      var sum = sums[thread];
      if (thread >= reach) { sum += sums[thread - reach]; }
      workgroupBarrier();
      sums[thread] = sum;
    }
    workgroupBarrier();
    if (j < steps) {
      let place = at(params.readout, b, head, first + j);
      let m = select(readout[place], 0.0, params.sigmoid != 0u);
      let denominator = readout[params.readout_plane + place];
      let floor = exp(-m);
      var inverse = 1.0;
      var gradient = 0.0;
      var pull = 0.0;
      if (params.normalize != 0u) {
        inverse = 1.0 / (larger(abs(denominator), floor) + params.eps);
        if (params.sigmoid == 0u) { pull = -params.eps * dots[thread] * inverse; }
        // The other way round, a NaN would pass for a denominator that does not matter.
        if (!(abs(denominator) <= floor)) { gradient = -sign(denominator) * dots[thread] * inverse; }
      }
      rows[LOG_FORGET * plane + row0 + j] = log_forget;
      let log_input = log_input_gate(i[at(params.i, b, head, first + j)], params.sigmoid);
      var m_before = m_entering;
      if (j > 0u && params.sigmoid == 0u) { m_before = readout[at(params.readout, b, head, first + j - 1u)]; }
      rows[LOG_INPUT * plane + row0 + j] = log_input;
      rows[PULL * plane + row0 + j] = pull;
      rows[STARTS * plane + row0 + j] = select(1.0, 0.0, log_forget + m_before > log_input);
      rows[STABILIZER * plane + row0 + j] = m;
      rows[INVERSE * plane + row0 + j] = inverse;
      rows[DENOMINATOR * plane + row0 + j] = gradient;
      rows[CARRIED * plane + row0 + j] = exp_down(before + sums[thread] + m_entering - m);
    }
    before += sums[THREADS - 1u];
    workgroupBarrier();
  }
  if (thread == 0u) { rows[DECAY * plane + entry] = exp_down(before + m_entering - m_leaving); }

  var after = 0.0;
  for (var back = 0u; back < steps; back += THREADS) {
    // Invocation x takes step steps - 1 - back - x.
    let inside = back + thread < steps;
    let t = steps - 1u - min(back + thread, steps - 1u);
    var log_forget = 0.0;
    if (inside) { log_forget = log_forget_gate(f[at(params.f, b, head, first + t)]); }
    sums[thread] = log_forget;
    for (var reach = 1u; reach < THREADS; reach *= 2u) {
      workgroupBarrier();
      var sum = sums[thread];
      if (thread >= reach) { sum += sums[thread - reach]; }
      workgroupBarrier();
      sums[thread] = sum;
    }
    workgroupBarrier();
    if (inside) {
      var exponent = log_input_gate(i[at(params.i, b, head, first + t)], params.sigmoid) + after;
      if (thread > 0u) { exponent += sums[thread - 1u]; }
      rows[WEIGHT * plane + row0 + t] = exp_down(exponent - m_leaving);
    }
    after += sums[THREADS - 1u];
    workgroupBarrier();
  }
}
