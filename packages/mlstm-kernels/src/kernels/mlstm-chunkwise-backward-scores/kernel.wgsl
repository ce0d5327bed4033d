// Scores of 64 steps j of a chunk against 64 steps t <= j, for one (b, head), and what their gradients are multiplied by:
//   D_jt = i_t + (sum of logf over t+1..j);  S_jt = (q_j^T k_t) exp(D_jt - m_j), q scaled by 1/sqrt(DHQK)
//   dS_jt = dh_j^T v_t / N_j + dden_j;  G_jt = dS_jt exp(D_jt - m_j);  F_jt = dS_jt S_jt
// and the sums of F over the tile by j and by t, without those of a step to itself.
// D is never a difference of cumulative sums, which closed forget gates would make inexact, but a sum of parts that lie
// side by side: the rest of t's four steps, whole fours and tiles between, j's four steps up to j.

struct Params { q: Layout, k: Layout, v: Layout, dh: Layout, B: u32, NH: u32, S: u32, DHQK: u32, DHHV: u32, L: u32 }

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> dh: array<f32>;
@group(0) @binding(4) var<storage, read> rows: array<f32>;
@group(0) @binding(5) var<storage, read_write> scores: array<f32>;    // S | G, each [B, NH, NC, L, L]
@group(0) @binding(6) var<storage, read_write> flows: array<f32>;     // reaching j | sent by t, each [T, B, NH, S] | F_tt
@group(0) @binding(7) var<uniform> params: Params;

const FOURS = 16u;                                   // of a tile's steps

var<workgroup> forget_t: array<f32, TILE>;           // logf of t's tile, then of j's
var<workgroup> forget_j: array<f32, TILE>;
var<workgroup> four_t: array<f32, FOURS>;            // sums of logf over fours
var<workgroup> four_j: array<f32, FOURS>;
var<workgroup> between: array<f32, THREADS>;         // logf of the tiles between, summed up

var<workgroup> flow: array<f32, 1088>;               // [64, 17]

// Where a workgroup is: its chunk's first step in the sequence, its tiles' first steps in the chunk.
struct Place { b: u32, head: u32, first: u32, steps: u32, j: u32, t: u32, row0: u32 }

fn load_forget(place: Place, thread: u32) {
  if (thread < 2u * TILE) {
    let t = select(place.j, place.t, thread < TILE) + thread % TILE;
    var log_forget = 0.0;
    if (t < place.steps) { log_forget = rows[place.row0 + t]; }
    if (thread < TILE) { forget_t[thread] = log_forget; } else { forget_j[thread - TILE] = log_forget; }
  }
  var sum = 0.0;
  for (var t = place.t + TILE + thread; t < place.j; t += THREADS) { sum += rows[place.row0 + t]; }
  between[thread] = sum;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { between[thread] += between[thread + half]; }
  }
  if (thread < FOURS) {
    let x = 4u * thread;
    four_t[thread] = forget_t[x] + forget_t[x + 1u] + forget_t[x + 2u] + forget_t[x + 3u];
    four_j[thread] = forget_j[x] + forget_j[x + 1u] + forget_j[x + 2u] + forget_j[x + 3u];
  }
  workgroupBarrier();
}

// The sum of logf over t+1..j by rows j, columns t of an invocation; what is masked is arbitrary.
fn decays(place: Place, thread: u32) -> Sums {
  let j4 = thread / 16u;
  let t4 = thread % 16u;
  var gap = 0.0;
  if (place.j == place.t) {
    for (var x = t4 + 1u; x < j4; x++) { gap += four_t[x]; }
  } else {
    for (var x = t4 + 1u; x < FOURS; x++) { gap += four_t[x]; }
    gap += between[0];
    for (var x = 0u; x < j4; x++) { gap += four_j[x]; }
  }
  let t = 4u * t4;
  let rest = vec4(forget_t[t + 1u] + forget_t[t + 2u] + forget_t[t + 3u], forget_t[t + 2u] + forget_t[t + 3u], forget_t[t + 3u], 0.0);
  let j = 4u * j4;
  let head = vec4(forget_j[j], forget_j[j] + forget_j[j + 1u], forget_j[j] + forget_j[j + 1u] + forget_j[j + 2u], four_j[j4]);
  if (place.j == place.t && j4 == t4) {
    let f1 = forget_t[t + 1u];
    let f2 = forget_t[t + 2u];
    let f3 = forget_t[t + 3u];
    return Sums(vec4<f32>(), vec4(f1, 0.0, 0.0, 0.0), vec4(f1 + f2, f2, 0.0, 0.0), vec4(f1 + f2 + f3, f2 + f3, f3, 0.0));
  }
  let base = rest + gap;
  return Sums(base + head.x, base + head.y, base + head.z, base + head.w);
}

fn score_queries(place: Place, thread: u32) -> Sums {
  var sums: Sums;
  for (var start = 0u; start < params.DHQK; start += DEPTH) {
    let d = start + thread % DEPTH;
    let quad = 4u * (thread / DEPTH);
    var query = vec4<f32>();
    var key = vec4<f32>();
    for (var r = 0u; r < 4u; r++) {
      let j = place.j + quad + r;
      let t = place.t + quad + r;
      if (d < params.DHQK && j < place.steps) { query[r] = q[at(params.q, place.b, place.head, place.first + j) + d]; }
      if (d < params.DHQK && t < place.steps) { key[r] = k[at(params.k, place.b, place.head, place.first + t) + d]; }
    }
    workgroupBarrier();
    tile_a[along_x(thread)] = query;
    tile_b[along_x(thread)] = key;
    workgroupBarrier();
    sums = add_products(sums, thread);
  }
  return sums;
}

fn score_gradients(place: Place, thread: u32) -> Sums {
  var sums: Sums;
  for (var start = 0u; start < params.DHHV; start += DEPTH) {
    let e = start + thread % DEPTH;
    let quad = 4u * (thread / DEPTH);
    var gradient = vec4<f32>();
    var value = vec4<f32>();
    for (var r = 0u; r < 4u; r++) {
      let j = place.j + quad + r;
      let t = place.t + quad + r;
      if (e < params.DHHV && j < place.steps) { gradient[r] = dh[at(params.dh, place.b, place.head, place.first + j) + e]; }
      if (e < params.DHHV && t < place.steps) { value[r] = v[at(params.v, place.b, place.head, place.first + t) + e]; }
    }
    workgroupBarrier();
    tile_a[along_x(thread)] = gradient;
    tile_b[along_x(thread)] = value;
    workgroupBarrier();
    sums = add_products(sums, thread);
  }
  return sums;
}

@compute @workgroup_size(THREADS)
fn mlstm_chunkwise_backward_scores(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                                   @builtin(local_invocation_index) thread: u32) {
  let chunks = (params.S + params.L - 1u) / params.L;
  let cells = params.B * params.NH;
  let tiles = (params.L + TILE - 1u) / TILE;
  let work = group.x + group.y * groups.x;
  let entry = work / (tiles * tiles);
  if (entry >= cells * chunks) { return; }
  let cell = entry / chunks;
  var place: Place;
  place.b = cell / params.NH;
  place.head = cell % params.NH;
  place.first = (entry % chunks) * params.L;
  place.steps = min(params.L, params.S - place.first);
  place.j = (work / tiles) % tiles * TILE;
  place.t = work % tiles * TILE;
  place.row0 = LOG_FORGET * cells * params.S + cell * params.S + place.first;
  if (place.t > place.j || place.j >= place.steps) { return; }

  load_forget(place, thread);
  let decay = decays(place, thread);
  let products = score_queries(place, thread);
  let gradients = score_gradients(place, thread);

  let plane = cells * params.S;
  let scale = inverseSqrt(f32(params.DHQK));
  let gradient_plane = cells * chunks * params.L * params.L;
  let t0 = place.t + 4u * (thread % 16u);
  var log_input = vec4<f32>();
  for (var x = 0u; x < 4u; x++) {
    if (t0 + x < place.steps) { log_input[x] = rows[LOG_INPUT * plane + place.row0 + t0 + x]; }
  }
  var sent = vec4<f32>();
  workgroupBarrier();
  for (var r = 0u; r < 4u; r++) {
    let j = place.j + 4u * (thread / 16u) + r;
    var reaching = 0.0;
    if (j < place.steps) {
      let row = place.row0 + j;
      let exponent = log_input + row_of(decay, r) - rows[STABILIZER * plane + row];
      let score = scale * row_of(products, r);
      let gradient = rows[INVERSE * plane + row] * row_of(gradients, r) + rows[DENOMINATOR * plane + row];
      for (var x = 0u; x < 4u; x++) {
        let t = t0 + x;
        if (t >= params.L) { break; }
        let index = (entry * params.L + j) * params.L + t;
        if (t > j) {
          scores[index] = 0.0;
          scores[gradient_plane + index] = 0.0;
          continue;
        }
        let factor = exp_down(exponent[x]);
        scores[index] = score[x] * factor;
        scores[gradient_plane + index] = gradient[x] * factor;
        let passing = score[x] * factor * gradient[x];
        if (t < j) {
          reaching += passing;
          sent[x] += passing;
        } else {
          flows[2u * tiles * plane + row] = passing;
        }
      }
    }
    flow[(4u * (thread / 16u) + r) * 17u + thread % 16u] = reaching;
  }
  workgroupBarrier();
  if (thread < TILE && place.j + thread < place.steps) {
    var sum = 0.0;
    for (var x = 0u; x < 16u; x++) { sum += flow[thread * 17u + x]; }
    flows[place.t / TILE * plane + place.row0 + place.j + thread] = sum;
  }
  workgroupBarrier();
  for (var x = 0u; x < 4u; x++) { flow[(4u * (thread % 16u) + x) * 17u + thread / 16u] = sent[x]; }
  workgroupBarrier();
  if (thread < TILE && place.t + thread < place.steps) {
    var sum = 0.0;
    for (var x = 0u; x < 16u; x++) { sum += flow[thread * 17u + x]; }
    flows[(tiles + place.j / TILE) * plane + place.row0 + place.t + thread] = sum;
  }
}
