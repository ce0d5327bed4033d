// h of a whole chunk of L = 64 steps and 128 of the DHHV columns, for one (b, head), by the formulas of the plain form.
// DHQK, DHHV and every layout are multiples of 4.
//
// An invocation holds rows 8*(thread/32) .. +7, so that neighbouring invocations read the same queries; of h the columns
// 4*(thread%32) .. +3, of the scores the keys 2*(thread%32) and the one after. One pass over DHQK, 8 at a time, makes both
// C^T q and the scores; queries and keys lie in workgroup memory as vectors along DHQK. What comes next is loaded while
// the present part is multiplied. Then the scores, 8 steps at a time, are multiplied with v.

struct Params {
  q: Layout, k: Layout, v: Layout, i: Layout, f: Layout, h: Layout, readout: Layout, readout_plane: u32,
  B: u32, NH: u32, S: u32, DHQK: u32, DHHV: u32, L: u32, sigmoid: u32, normalize: u32, eps: f32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> i: array<f32>;
@group(0) @binding(4) var<storage, read> f: array<f32>;
@group(0) @binding(5) var<storage, read> entering: array<f32>;  // C | n | m, each [B, NH, NC, ...]
@group(0) @binding(6) var<storage, read_write> h: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> readout: array<f32>;  // m | denominator, when HAS_READOUT
@group(0) @binding(8) var<uniform> params: Params;

override HAS_READOUT: u32 = 0;

const THREADS = 256u;
const ROWS = 64u;                    // L
const COLUMNS = 128u;
const DEPTH = 8u;                    // of DHQK, or steps, in workgroup memory at a time

var<workgroup> tile_q: array<vec4<f32>, 128>;        // [row, d / 4]
var<workgroup> tile_k: array<vec4<f32>, 130>;        // [d / 4, t % 2, t / 2], one vector more for each d / 4
var<workgroup> tile_c: array<vec4<f32>, 256>;        // [d, column / 4]; v as [t, column / 4]
var<workgroup> scores: array<vec2<f32>, 256>;        // S_jt of 8 steps [j, t / 2]
var<workgroup> log_input: array<f32, 64>;
var<workgroup> log_forget: array<f32, 64>;
var<workgroup> since: array<f32, 64>;                // sum of logf from the chunk's start to j
var<workgroup> stabilizer: array<f32, 64>;           // m_j
var<workgroup> partial: array<f32, 256>;             // of the denominators [j, 4]

// What an invocation brings to workgroup memory next.
struct Part { row: vec4<f32>, c: vec4<f32>, n: vec4<f32> }

// Where a workgroup is: its chunk's first step in the sequence and its first column.
struct Place { b: u32, head: u32, first: u32, steps: u32, entry: u32, column: u32, n_start: u32 }

fn entering4(place: u32) -> vec4<f32> {
  return vec4(entering[place], entering[place + 1u], entering[place + 2u], entering[place + 3u]);
}

// The first 128 invocations load queries, the others keys; all of them C; n those that add up denominators.
fn load_part(place: Place, d_start: u32, thread: u32) -> Part {
  var part: Part;
  let row = (thread % 128u) / 2u;
  let d_row = d_start + 4u * (thread % 2u);
  if (row < place.steps && d_row < params.DHQK) {
    if (thread < 128u) { part.row = q[(at(params.q, place.b, place.head, place.first + row) + d_row) / 4u]; }
    else { part.row = k[(at(params.k, place.b, place.head, place.first + row) + d_row) / 4u]; }
  }
  let d = d_start + thread / 32u;
  let column = place.column + 4u * (thread % 32u);
  if (d < params.DHQK && column < params.DHHV) {
    part.c = entering4((place.entry * params.DHQK + d) * params.DHHV + column);
  }
  let d_n = d_start + 4u * (thread % 4u);
  if (thread % 4u < 2u && d_n < params.DHQK) { part.n = entering4(place.n_start + d_n); }
  return part;
}

fn load_value(place: Place, step: u32, thread: u32) -> vec4<f32> {
  let t = step + thread / 32u;
  let column = place.column + 4u * (thread % 32u);
  if (t >= place.steps || column >= params.DHHV) { return vec4<f32>(); }
  return v[(at(params.v, place.b, place.head, place.first + t) + column) / 4u];
}

// Fills log_input, log_forget, since and stabilizer. A scan of (sum of logf, strongest exponent), to which earlier steps
// are added by (g', m') then (g, m): (g' + g, max(m' + g, m)).
fn prepare_gates(place: Place, m_entering: f32, thread: u32) {
  var sum = 0.0;
  var strongest = 0.0;
  if (thread < place.steps) {
    sum = log_forget_gate(f[at(params.f, place.b, place.head, place.first + thread)]);
    strongest = log_input_gate(i[at(params.i, place.b, place.head, place.first + thread)], params.sigmoid);
  }
  if (thread < ROWS) {
    log_forget[thread] = sum;
    log_input[thread] = strongest;
    since[thread] = sum;
    stabilizer[thread] = strongest;
  }
  for (var reach = 1u; reach < ROWS; reach *= 2u) {
    workgroupBarrier();
    if (thread >= reach && thread < ROWS) {
      strongest = larger(strongest, stabilizer[thread - reach] + sum);
      sum += since[thread - reach];
    }
    workgroupBarrier();
    if (thread < ROWS) {
      since[thread] = sum;
      stabilizer[thread] = strongest;
    }
  }
  if (thread < ROWS) {
    strongest = larger(strongest, sum + m_entering);
    if (params.sigmoid != 0u) { strongest = 0.0; }
    stabilizer[thread] = strongest;
  }
  workgroupBarrier();
}

@compute @workgroup_size(THREADS)
fn mlstm_chunkwise_outputs(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                           @builtin(local_invocation_index) thread: u32) {
  let chunks = (params.S + ROWS - 1u) / ROWS;
  let tiles = (params.DHHV + COLUMNS - 1u) / COLUMNS;
  let work = group.x + group.y * groups.x;
  let cells = params.B * params.NH;
  var place: Place;
  place.entry = work / tiles;
  if (place.entry >= cells * chunks) { return; }
  let cell = place.entry / chunks;
  place.b = cell / params.NH;
  place.head = cell % params.NH;
  place.first = place.entry % chunks * ROWS;
  place.steps = min(ROWS, params.S - place.first);
  place.column = work % tiles * COLUMNS;
  let n_plane = cells * chunks * params.DHQK * params.DHHV;
  place.n_start = n_plane + place.entry * params.DHQK;
  var m_entering = entering[n_plane + cells * chunks * params.DHQK + place.entry];
  if (params.sigmoid != 0u) { m_entering = 0.0; }

  var part = load_part(place, 0u, thread);
  prepare_gates(place, m_entering, thread);

  let row0 = thread / 32u * 8u;
  let lane = thread % 32u;
  // Of the row thread / 4, an invocation in four adds up its part of the denominator.
  var row_sum = 0.0;
  var sums: array<vec4<f32>, 8>;
  var score: array<vec2<f32>, 8>;
  for (var d_start = 0u; d_start < params.DHQK; d_start += DEPTH) {
    workgroupBarrier();
    let row = (thread % 128u) / 2u;
    if (thread < 128u) { tile_q[thread] = part.row; }
    else { tile_k[(thread % 2u) * 65u + (row % 2u) * 32u + row / 2u] = part.row; }
    tile_c[thread] = part.c;
    let n = part.n;
    workgroupBarrier();
    if (d_start + DEPTH < params.DHQK) { part = load_part(place, d_start + DEPTH, thread); }
    if (thread % 4u < 2u) { row_sum += dot(tile_q[thread / 4u * 2u + thread % 4u], n); }
    for (var quad = 0u; quad < DEPTH / 4u; quad++) {
      let key0 = tile_k[quad * 65u + lane];
      let key1 = tile_k[quad * 65u + 32u + lane];
      let c0 = tile_c[(quad * 4u) * 32u + lane];
      let c1 = tile_c[(quad * 4u + 1u) * 32u + lane];
      let c2 = tile_c[(quad * 4u + 2u) * 32u + lane];
      let c3 = tile_c[(quad * 4u + 3u) * 32u + lane];
      for (var r = 0u; r < 8u; r++) {
        let query = tile_q[(row0 + r) * 2u + quad];
        sums[r] += query.x * c0;
        sums[r] += query.y * c1;
        sums[r] += query.z * c2;
        sums[r] += query.w * c3;
        score[r] += vec2(dot(query, key0), dot(query, key1));
      }
    }
  }

  // The sums of logf that lie between each of the two keys and the first row, then row by row.
  let scale = inverseSqrt(f32(params.DHQK));
  let t0 = 2u * lane;
  let t1 = t0 + 1u;
  var after1 = 0.0;
  for (var step = t1 + 1u; step <= row0; step++) { after1 += log_forget[step]; }
  var after0 = after1;
  if (t1 <= row0) { after0 += log_forget[t1]; }
  for (var r = 0u; r < 8u; r++) {
    let j = row0 + r;
    if (r > 0u && j > t0) { after0 += log_forget[j]; }
    if (r > 0u && j > t1) { after1 += log_forget[j]; }
    let m = stabilizer[j];
    sums[r] *= scale * exp(since[j] + m_entering - m);
    var weighted = vec2<f32>();
    if (t0 <= j) { weighted.x = score[r].x * scale * exp(log_input[t0] + after0 - m); }
    if (t1 <= j) { weighted.y = score[r].y * scale * exp(log_input[t1] + after1 - m); }
    score[r] = weighted;
  }
  row_sum *= scale * exp(since[thread / 4u] + m_entering - stabilizer[thread / 4u]);

  var value = load_value(place, 0u, thread);
  for (var step = 0u; step < place.steps; step += DEPTH) {
    workgroupBarrier();
    tile_c[thread] = value;
    // The four invocations of a row whose keys these are.
    if (lane / 4u == step / DEPTH) {
      for (var r = 0u; r < 8u; r++) { scores[(row0 + r) * 4u + lane % 4u] = score[r]; }
    }
    workgroupBarrier();
    value = load_value(place, step + DEPTH, thread);
    let own = scores[thread];
    row_sum += own.x + own.y;
    for (var pair = 0u; pair < DEPTH / 2u; pair++) {
      let value0 = tile_c[pair * 64u + lane];
      let value1 = tile_c[pair * 64u + 32u + lane];
      for (var r = 0u; r < 8u; r++) {
        let weight = scores[(row0 + r) * 4u + pair];
        sums[r] += weight.x * value0;
        sums[r] += weight.y * value1;
      }
    }
  }

  partial[thread] = row_sum;
  workgroupBarrier();
  let column = place.column + 4u * lane;
  for (var r = 0u; r < 8u; r++) {
    let j = row0 + r;
    if (j >= place.steps) { return; }
    let denominator = (partial[4u * j] + partial[4u * j + 1u]) + (partial[4u * j + 2u] + partial[4u * j + 3u]);
    let m = stabilizer[j];
    if (HAS_READOUT != 0u && place.column == 0u && lane == 0u) {
      let out = at(params.readout, place.b, place.head, place.first + j);
      readout[out] = m;
      readout[params.readout_plane + out] = denominator;
    }
    if (column < params.DHHV) {
      var result = sums[r];
      for (var x = 0u; x < 4u; x++) { result[x] = normalized(result[x], denominator, m, params.normalize, params.eps); }
      h[(at(params.h, place.b, place.head, place.first + j) + column) / 4u] = result;
    }
  }
}
