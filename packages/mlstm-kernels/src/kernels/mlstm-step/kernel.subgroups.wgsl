// One step of the mLSTM recurrence for one (b, head) and 4 LANES columns of C [DHQK, DHHV], with one barrier:
//   m' = max(logf + m, i);  C' = exp(logf + m - m') C + exp(i - m') k v^T;  n' alike with k
//   h  = C'^T q / (max(|n'^T q|, exp(-m')) + eps),  q scaled by 1/sqrt(DHQK)
// The first of C are asked for before the gates, and the next before the stores of those that came. arrivals.wgsl follows.

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

override N_WORDS: u32 = 1;   // DHQK
override LANES: u32 = 4;     // vec4 columns of a tile, a power of two
override SUBGROUP: u32 = 4;  // the smallest a subgroup can be
const THREADS = 256u;
override ROWS: u32 = 64;     // THREADS / LANES
override BLOCK: u32 = 4;     // max(LANES, SUBGROUP): invocations whose sums become one for each lane

var<workgroup> normalizer: array<f32, N_WORDS>;        // n' [DHQK], each element one invocation's own
var<workgroup> denominators: array<f32, THREADS>;
var<workgroup> numerators: array<vec4<f32>, THREADS>;

fn state_element(index: u32) -> f32 { return state[index / 4u][index % 4u]; }
fn set_state_element(index: u32, value: f32) { state[index / 4u][index % 4u] = value; }

@compute @workgroup_size(THREADS)
fn mlstm_step(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
              @builtin(local_invocation_index) thread: u32,
              @builtin(subgroup_size) size: u32, @builtin(subgroup_invocation_id) lane_in_subgroup: u32) {
  let columns = params.DHHV / 4u;
  let tiles = (columns + LANES - 1u) / LANES;
  let work = group.x + group.y * groups.x;
  let cell = work / tiles;
  if (cell >= params.B * params.NH) { return; }
  let b = cell / params.NH;
  let head = cell % params.NH;
  let own = (work % tiles) * LANES + thread % LANES;
  let valid = own < columns;
  let column = min(own, columns - 1u); // columns past the end repeat the last one and are not stored
  let row = thread / LANES;
  let last_row = params.DHQK - 1u;
  let c_start = cell * params.DHQK * columns + column;

  var c0 = state[c_start + min(row, last_row) * columns];
  var c1 = state[c_start + min(row + ROWS, last_row) * columns];
  var c2 = state[c_start + min(row + 2u * ROWS, last_row) * columns];
  var c3 = state[c_start + min(row + 3u * ROWS, last_row) * columns];

  let n_plane = params.B * params.NH * params.DHQK * params.DHHV;
  let n_start = n_plane + cell * params.DHQK;
  let m_place = n_plane + params.B * params.NH * params.DHQK + cell;
  let q_start = at(params.q, b, head, 0u);
  let k_start = at(params.k, b, head, 0u);
  let v_start = at(params.v, b, head, 0u) + column * 4u;
  let scale = inverseSqrt(f32(params.DHQK));

  let entering = select(state_element(m_place), 0.0, params.sigmoid != 0u);
  let log_forget = log_forget_gate(f[at(params.f, b, head, 0u)]);
  let log_input = log_input_gate(i[at(params.i, b, head, 0u)], params.sigmoid);
  let m = select(larger(log_forget + entering, log_input), 0.0, params.sigmoid != 0u);
  let decay = exp(log_forget + entering - m);
  let input = exp(log_input - m);
  let value = input * vec4(v[v_start], v[v_start + 1u], v[v_start + 2u], v[v_start + 3u]);

  var denominator = 0.0;
  for (var d = thread; d < params.DHQK; d += THREADS) {
    let next = decay * state_element(n_start + d) + input * k[k_start + d];
    normalizer[d] = next;
    denominator += next * q[q_start + d];
  }

  var sum = vec4(0.0);
  for (var d = row; d < params.DHQK; d += 4u * ROWS) {
    let d1 = d + ROWS;
    let d2 = d + 2u * ROWS;
    let d3 = d + 3u * ROWS;
    let new0 = decay * c0 + k[k_start + d] * value;
    sum += q[q_start + d] * new0;
    let new1 = decay * c1 + k[k_start + min(d1, last_row)] * value;
    let new2 = decay * c2 + k[k_start + min(d2, last_row)] * value;
    let new3 = decay * c3 + k[k_start + min(d3, last_row)] * value;
    if (d1 < params.DHQK) { sum += q[q_start + d1] * new1; }
    if (d2 < params.DHQK) { sum += q[q_start + d2] * new2; }
    if (d3 < params.DHQK) { sum += q[q_start + d3] * new3; }
    // No row that is stored below: those past the end repeat the last one and are not used.
    let next = d + 4u * ROWS;
    if (next < params.DHQK) {
      c0 = state[c_start + next * columns];
      c1 = state[c_start + min(next + ROWS, last_row) * columns];
      c2 = state[c_start + min(next + 2u * ROWS, last_row) * columns];
      c3 = state[c_start + min(next + 3u * ROWS, last_row) * columns];
    }
    if (valid) {
      state[c_start + d * columns] = new0;
      if (d1 < params.DHQK) { state[c_start + d1 * columns] = new1; }
      if (d2 < params.DHQK) { state[c_start + d2 * columns] = new2; }
      if (d3 < params.DHQK) { state[c_start + d3 * columns] = new3; }
    }
  }

  // Invocations of one lane are LANES apart; blocks of the smallest subgroup's size never straddle two subgroups.
  if (LANES <= 4u && SUBGROUP > 4u) { sum += subgroupShuffleXor(sum, 4u); }
  if (LANES <= 8u && SUBGROUP > 8u) { sum += subgroupShuffleXor(sum, 8u); }
  if (LANES <= 16u && SUBGROUP > 16u) { sum += subgroupShuffleXor(sum, 16u); }
  if (LANES <= 32u && SUBGROUP > 32u) { sum += subgroupShuffleXor(sum, 32u); }
  if (thread % BLOCK < LANES) { numerators[thread / BLOCK * LANES + thread % LANES] = sum; }
  let part = subgroupAdd(denominator);
  if (lane_in_subgroup == 0u) { denominators[thread / size] = part; }
  workgroupBarrier();
  if (thread < LANES && valid) {
    var numerator = vec4(0.0);
    for (var at_block = 0u; at_block < THREADS / BLOCK; at_block++) { numerator += numerators[at_block * LANES + thread]; }
    var whole = 0.0;
    for (var at_subgroup = 0u; at_subgroup < THREADS / size; at_subgroup++) { whole += denominators[at_subgroup]; }
    let h_start = at(params.h, b, head, 0u) + column * 4u;
    for (var e = 0u; e < 4u; e++) {
      h[h_start + e] = normalized(numerator[e] * scale, whole * scale, m, params.normalize, params.eps);
    }
  }
  finish(cell, tiles, thread, n_start, m_place, m);
}
