// S steps of the mLSTM recurrence for one (b, head) and 16 columns of C [DHQK, DHHV]; for each step
//   m' = max(logf + m, i);  C' = exp(logf + m - m') C + exp(i - m') k v^T;  n' alike with k
//   h  = C'^T q / (max(|n'^T q|, exp(-m')) + eps),  q scaled by 1/sqrt(DHQK)
// C is read and written once a step, 64 bytes of a row by four neighbouring invocations; 64 rows at a time, four deep,
// so that 16 KiB are under way per workgroup. Each invocation only touches its own elements of C, hence no barrier
// between steps. n and m are kept here, since other workgroups of the head read those in `state`; arrivals.wgsl, which
// follows, says who advances them there.

struct Params {
  q: Layout, k: Layout, v: Layout, i: Layout, f: Layout, h: Layout,
  B: u32, NH: u32, S: u32, DHQK: u32, DHHV: u32, sigmoid: u32, normalize: u32, eps: f32,
}

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> i: array<f32>;
@group(0) @binding(4) var<storage, read> f: array<f32>;
@group(0) @binding(5) var<storage, read_write> state: array<vec4<f32>>;  // C | n | m
@group(0) @binding(6) var<storage, read_write> h: array<f32>;
@group(0) @binding(7) var<storage, read_write> arrivals: array<atomic<u32>>; // [B, NH], when HAS_ARRIVALS
@group(0) @binding(8) var<uniform> params: Params;

override N_WORDS: u32 = 1;           // DHQK
const THREADS = 256u;
const LANES = 4u;                    // vec4 columns of a tile
const ROWS = 64u;                    // THREADS / LANES

var<workgroup> normalizer: array<f32, N_WORDS>;        // n [DHQK], each element one invocation's own
var<workgroup> denominators: array<f32, THREADS>;
var<workgroup> numerators: array<vec4<f32>, THREADS>;

fn state_element(index: u32) -> f32 { return state[index / 4u][index % 4u]; }
fn set_state_element(index: u32, value: f32) { state[index / 4u][index % 4u] = value; }

@compute @workgroup_size(THREADS)
fn mlstm_step(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
              @builtin(local_invocation_index) thread: u32) {
  let columns = params.DHHV / 4u;
  let tiles = (columns + LANES - 1u) / LANES;
  let work = group.x + group.y * groups.x;
  let cell = work / tiles;
  if (cell >= params.B * params.NH) { return; }
  let b = cell / params.NH;
  let head = cell % params.NH;
  let column = (work % tiles) * LANES + thread % LANES;
  let row = thread / LANES;
  let valid = column < columns;
  let n_plane = params.B * params.NH * params.DHQK * params.DHHV;
  let n_start = n_plane + cell * params.DHQK;
  let scale = inverseSqrt(f32(params.DHQK));
  let c_start = cell * params.DHQK * columns + column;

  for (var d = thread; d < params.DHQK; d += THREADS) { normalizer[d] = state_element(n_start + d); }
  var m = state_element(n_plane + params.B * params.NH * params.DHQK + cell);
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

    var sum = vec4<f32>();
    if (valid) {
      let v_start = at(params.v, b, head, s) + column * 4u;
      let value = input * vec4<f32>(v[v_start], v[v_start + 1u], v[v_start + 2u], v[v_start + 3u]);
      var d = row;
      // All four loads before the first store: a compiler may not move a load of `state` above a store to it.
      for (; d + 3u * ROWS < params.DHQK; d += 4u * ROWS) {
        let at0 = c_start + d * columns;
        let at1 = at0 + ROWS * columns;
        let at2 = at1 + ROWS * columns;
        let at3 = at2 + ROWS * columns;
        let old0 = state[at0];
        let old1 = state[at1];
        let old2 = state[at2];
        let old3 = state[at3];
        let new0 = decay * old0 + k[k_start + d] * value;
        let new1 = decay * old1 + k[k_start + d + ROWS] * value;
        let new2 = decay * old2 + k[k_start + d + 2u * ROWS] * value;
        let new3 = decay * old3 + k[k_start + d + 3u * ROWS] * value;
        sum += q[q_start + d] * new0 + q[q_start + d + ROWS] * new1
          + q[q_start + d + 2u * ROWS] * new2 + q[q_start + d + 3u * ROWS] * new3;
        state[at0] = new0;
        state[at1] = new1;
        state[at2] = new2;
        state[at3] = new3;
      }
      for (; d < params.DHQK; d += ROWS) {
        let place = c_start + d * columns;
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
      let h_start = at(params.h, b, head, s) + column * 4u;
      for (var e = 0u; e < 4u; e++) {
        h[h_start + e] = normalized(numerators[thread][e] * scale, denominators[0] * scale, m, params.normalize, params.eps);
      }
    }
    workgroupBarrier();
  }
  finish(cell, tiles, thread, n_start, n_plane + params.B * params.NH * params.DHQK + cell, m);
}
