// S steps of the mLSTM recurrence for one (b, head) and 16 columns of C [DHQK, DHHV], any sizes; for each step
//   m' = max(logf + m, i);  C' = exp(logf + m - m') C + exp(i - m') k v^T;  n' alike with k
//   h  = C'^T q / (max(|n'^T q|, exp(-m')) + eps),  q scaled by 1/sqrt(DHQK)
// Each invocation only touches its own elements of C, hence no barrier between steps. n and m are kept here, since
// other workgroups of the head read those in `state`; arrivals.wgsl, which follows, says who advances them there.

struct Params {
  q: Layout, k: Layout, v: Layout, i: Layout, f: Layout, h: Layout,
  B: u32, NH: u32, S: u32, DHQK: u32, DHHV: u32, sigmoid: u32, normalize: u32, eps: f32,
}

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> i: array<f32>;
@group(0) @binding(4) var<storage, read> f: array<f32>;
@group(0) @binding(5) var<storage, read_write> state: array<f32>;  // C | n | m
@group(0) @binding(6) var<storage, read_write> h: array<f32>;
@group(0) @binding(7) var<storage, read_write> arrivals: array<atomic<u32>>; // [B, NH], when HAS_ARRIVALS
@group(0) @binding(8) var<uniform> params: Params;

override N_WORDS: u32 = 1;           // DHQK
const THREADS = 256u;
const LANES = 16u;                   // columns of a tile
const ROWS = 16u;                    // THREADS / LANES

var<workgroup> normalizer: array<f32, N_WORDS>;      // n [DHQK], each element one invocation's own
var<workgroup> denominators: array<f32, THREADS>;
var<workgroup> numerators: array<f32, THREADS>;

fn set_state_element(index: u32, value: f32) { state[index] = value; }

@compute @workgroup_size(THREADS)
fn mlstm_step(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
              @builtin(local_invocation_index) thread: u32) {
  let tiles = (params.DHHV + LANES - 1u) / LANES;
  let work = group.x + group.y * groups.x;
  let cell = work / tiles;
  if (cell >= params.B * params.NH) { return; }
  let b = cell / params.NH;
  let head = cell % params.NH;
  let column = (work % tiles) * LANES + thread % LANES;
  let row = thread / LANES;
  let valid = column < params.DHHV;
  let n_plane = params.B * params.NH * params.DHQK * params.DHHV;
  let n_start = n_plane + cell * params.DHQK;
  let scale = inverseSqrt(f32(params.DHQK));
  let c_start = cell * params.DHQK * params.DHHV + column;

  for (var d = thread; d < params.DHQK; d += THREADS) { normalizer[d] = state[n_start + d]; }
  var m = state[n_plane + params.B * params.NH * params.DHQK + cell];
  if (params.sigmoid != 0u) { m = 0.0; }

  for (var s = 0u; s < params.S; s++) {
    let log_forget = log_forget_gate(f[at(params.f, b, head, s)]);
    let log_input = log_input_gate(i[at(params.i, b, head, s)], params.sigmoid);
    let entering = m;
    if (params.sigmoid == 0u) { m = larger(log_forget + m, log_input); }
    let decay = exp(log_forget + entering - m);
    let input = exp(log_input - m);
    let q_start = at(params.q, b, head, s);
    let k_start = at(params.k, b, head, s);

    var sum = 0.0;
    if (valid) {
      let value = input * v[at(params.v, b, head, s) + column];
      for (var d = row; d < params.DHQK; d += ROWS) {
        let place = c_start + d * params.DHHV;
        let next = decay * state[place] + k[k_start + d] * value;
        sum += q[q_start + d] * next;
        state[place] = next;
      }
    }
    numerators[thread] = sum;

    var denominator = 0.0;
    for (var d = thread; d < params.DHQK; d += THREADS) {
      let next = decay * normalizer[d] + input * k[k_start + d];
      normalizer[d] = next;
      denominator += next * q[q_start + d];
    }
    denominators[thread] = denominator;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if (thread < half) {
        denominators[thread] += denominators[thread + half];
        if (half >= LANES) { numerators[thread] += numerators[thread + half]; }
      }
    }
    workgroupBarrier();
    if (thread < LANES && valid) {
      h[at(params.h, b, head, s) + column] =
        normalized(numerators[thread] * scale, denominators[0] * scale, m, params.normalize, params.eps);
    }
    workgroupBarrier();
  }
  finish(cell, tiles, thread, n_start, n_plane + params.B * params.NH * params.DHQK + cell, m);
}
