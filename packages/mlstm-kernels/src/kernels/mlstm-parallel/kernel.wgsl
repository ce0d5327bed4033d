// h of one step j and up to 64 of the DHHV columns, for one (b, head), from all steps t <= j and the initial state:
//   D_jt = i_t + (sum of logf over t+1..j);  m_j = max(b_j + m, max_t D_jt);  S_jt = (q_j^T k_t) exp(D_jt - m_j)
//   h_j  = (sum_t S_jt v_t + exp(b_j + m - m_j) C^T q_j) / (max(|sum_t S_jt + exp(b_j + m - m_j) n^T q_j|, exp(-m_j)) + eps)
// The steps are taken 64 at a time from j backwards, so that sums of logf grow from j and are never a difference of
// larger ones. m_j starts at the first block's maximum and what was summed is rescaled when a later block raises it.

struct Params {
  q: Layout, k: Layout, v: Layout, i: Layout, f: Layout, h: Layout, readout: Layout, readout_plane: u32,
  B: u32, NH: u32, S: u32, DHQK: u32, DHHV: u32, sigmoid: u32, normalize: u32, eps: f32,
}

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> i: array<f32>;
@group(0) @binding(4) var<storage, read> f: array<f32>;
@group(0) @binding(5) var<storage, read> state: array<f32>;  // C | n | m
@group(0) @binding(6) var<storage, read_write> h: array<f32>;
@group(0) @binding(7) var<storage, read_write> readout: array<f32>;  // m | denominator, when HAS_READOUT
@group(0) @binding(8) var<uniform> params: Params;

override HAS_READOUT: u32 = 0;

const THREADS = 64u;

var<workgroup> since: array<f32, THREADS>;       // sum of logf from t to the block's last step
var<workgroup> partial: array<f32, THREADS>;
var<workgroup> scores: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn mlstm_parallel(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                  @builtin(local_invocation_index) thread: u32) {
  let tiles = (params.DHHV + THREADS - 1u) / THREADS;
  let work = group.x + group.y * groups.x;
  let cell = work / (params.S * tiles);
  if (cell >= params.B * params.NH) { return; }
  let b = cell / params.NH;
  let head = cell % params.NH;
  let j = (work / tiles) % params.S;
  let column = (work % tiles) * THREADS + thread;
  let valid = column < params.DHHV;
  let q_start = at(params.q, b, head, j);
  let scale = inverseSqrt(f32(params.DHQK));

  var m = -3e38;
  var after = 0.0;                               // sum of logf over the blocks so far
  var numerator = 0.0;
  var denominator = 0.0;
  for (var back = 0u; back <= j; back += THREADS) {
    // Invocation x takes step j - back - x.
    let steps = min(THREADS, j + 1u - back);
    let inside = back + thread <= j;
    let t = j - min(back + thread, j);
    var log_input = 0.0;
    var log_forget = 0.0;
    if (inside) {
      log_input = log_input_gate(i[at(params.i, b, head, t)], params.sigmoid);
      log_forget = log_forget_gate(f[at(params.f, b, head, t)]);
    }
    since[thread] = log_forget;
    for (var reach = 1u; reach < steps; reach *= 2u) {
      workgroupBarrier();
      var sum = since[thread];
      if (thread >= reach) { sum += since[thread - reach]; }
      workgroupBarrier();
      since[thread] = sum;
    }
    workgroupBarrier();
    var exponent = log_input + after;
    if (thread > 0u) { exponent += since[thread - 1u]; }
    partial[thread] = select(m, exponent, inside);
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if (thread < half) { partial[thread] = larger(partial[thread], partial[thread + half]); }
    }
    workgroupBarrier();
    var strongest = larger(m, partial[0]);
    if (params.sigmoid != 0u) { strongest = 0.0; }
    var score = 0.0;
    if (inside) {
      let k_start = at(params.k, b, head, t);
      for (var d = 0u; d < params.DHQK; d++) { score += q[q_start + d] * k[k_start + d]; }
      score *= scale * exp(exponent - strongest);
    }
    scores[thread] = score;
    workgroupBarrier();
    let rescale = exp(m - strongest);
    numerator *= rescale;
    denominator *= rescale;
    for (var step = 0u; step < steps; step++) {
      denominator += scores[step];
      if (valid) { numerator += scores[step] * v[at(params.v, b, head, j - back - step) + column]; }
    }
    m = strongest;
    after += since[steps - 1u];
    // The next block overwrites `since`, `partial` and `scores`.
    workgroupBarrier();
  }

  let n_plane = params.B * params.NH * params.DHQK * params.DHHV;
  var m_initial = state[n_plane + params.B * params.NH * params.DHQK + cell];
  if (params.sigmoid != 0u) { m_initial = 0.0; }
  var strongest = larger(m, after + m_initial);
  if (params.sigmoid != 0u) { strongest = 0.0; }
  let rescale = exp(m - strongest);
  numerator *= rescale;
  denominator *= rescale;
  let carried = scale * exp(after + m_initial - strongest);
  for (var d = 0u; d < params.DHQK; d++) {
    let factor = carried * q[q_start + d];
    denominator += factor * state[n_plane + cell * params.DHQK + d];
    if (valid) { numerator += factor * state[(cell * params.DHQK + d) * params.DHHV + column]; }
  }
  if (HAS_READOUT != 0u && work % tiles == 0u && thread == 0u) {
    let place = at(params.readout, b, head, j);
    readout[place] = strongest;
    readout[params.readout_plane + place] = denominator;
  }
  if (!valid) { return; }
  h[at(params.h, b, head, j) + column] = normalized(numerator, denominator, strongest, params.normalize, params.eps);
}
