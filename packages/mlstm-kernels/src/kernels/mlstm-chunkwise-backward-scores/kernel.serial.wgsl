// The same as the plain form without barriers: for software adapters. An invocation takes one step, first as j against the
// steps before it, then as t against those after it, whose scores it computes again.

struct Params { q: Layout, k: Layout, v: Layout, dh: Layout, B: u32, NH: u32, S: u32, DHQK: u32, DHHV: u32, L: u32 }

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> dh: array<f32>;
@group(0) @binding(4) var<storage, read> rows: array<f32>;
@group(0) @binding(5) var<storage, read_write> scores: array<f32>;    // S | G, each [B, NH, NC, L, L]
@group(0) @binding(6) var<storage, read_write> flows: array<f32>;     // reaching j | sent by t, each [T, B, NH, S] | F_tt
@group(0) @binding(7) var<uniform> params: Params;

const THREADS = 4u;
const TILE = 64u;

// S_jt and what its gradient is multiplied by, before exp(D_jt - m_j).
fn products(b: u32, head: u32, j: u32, t: u32) -> vec2<f32> {
  let q_start = at(params.q, b, head, j);
  let k_start = at(params.k, b, head, t);
  let v_start = at(params.v, b, head, t);
  let dh_start = at(params.dh, b, head, j);
  let plane = params.B * params.NH * params.S;
  let row = (b * params.NH + head) * params.S + j;
  var score = 0.0;
  for (var d = 0u; d < params.DHQK; d++) { score += q[q_start + d] * k[k_start + d]; }
  var gradient = 0.0;
  for (var e = 0u; e < params.DHHV; e++) { gradient += dh[dh_start + e] * v[v_start + e]; }
  return vec2(score * inverseSqrt(f32(params.DHQK)), rows[INVERSE * plane + row] * gradient + rows[DENOMINATOR * plane + row]);
}

@compute @workgroup_size(THREADS)
fn mlstm_chunkwise_backward_scores(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                                   @builtin(local_invocation_index) thread: u32) {
  let chunks = (params.S + params.L - 1u) / params.L;
  let cells = params.B * params.NH;
  let work = group.x + group.y * groups.x;
  let tiles = (params.L + TILE - 1u) / TILE;
  let index = work * THREADS + thread;
  let cell = index / params.S;
  if (cell >= cells) { return; }
  let b = cell / params.NH;
  let head = cell % params.NH;
  let step = index % params.S;
  let first = step / params.L * params.L;
  let end = min(first + params.L, params.S);
  let plane = cells * params.S;
  let row0 = cell * params.S;
  let entry = cell * chunks + first / params.L;
  let gradient_plane = cells * chunks * params.L * params.L;
  let out = (entry * params.L + step - first) * params.L;

  var since = 0.0;
  var sum = 0.0;
  for (var back = 0u; back <= step - first; back++) {
    let t = step - back;
    let product = products(b, head, step, t);
    let factor = exp_down(rows[LOG_INPUT * plane + row0 + t] + since - rows[STABILIZER * plane + row0 + step]);
    scores[out + t - first] = product.x * factor;
    scores[gradient_plane + out + t - first] = product.y * factor;
    let passing = product.x * factor * product.y;
    if (t < step) { sum += passing; } else { flows[2u * tiles * plane + row0 + t] = passing; }
    if ((t - first) % TILE == 0u) {
      flows[(t - first) / TILE * plane + row0 + step] = sum;
      sum = 0.0;
    }
    since += rows[LOG_FORGET * plane + row0 + t];
  }
  since = 0.0;
  sum = 0.0;
  for (var j = step; j < end; j++) {
    if (j > step) {
      since += rows[LOG_FORGET * plane + row0 + j];
      let product = products(b, head, j, step);
      let exponent = rows[LOG_INPUT * plane + row0 + step] + since - rows[STABILIZER * plane + row0 + j];
      sum += product.x * exp_down(exponent) * product.y;
    }
    if ((j - first) % TILE == TILE - 1u || j + 1u == end) {
      flows[(tiles + (j - first) / TILE) * plane + row0 + step] = sum;
      sum = 0.0;
    }
  }
}
