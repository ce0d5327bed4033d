// h of 32 steps (one block of a chunk) and 128 of the DHHV columns, for one (b, head). With the state (C, n, m) that the
// chunk was entered with and b_j the sum of logf from the chunk's start to j:
//   D_jt = i_t + (sum of logf over t+1..j), t <= j;   m_j = max(b_j + m, max_t D_jt)
//   S_jt = (q_j^T k_t) exp(D_jt - m_j);               carried_j = exp(b_j + m - m_j)
//   h_j  = (sum_t S_jt v_t + carried_j C^T q_j) / (max(|sum_t S_jt + carried_j n^T q_j|, exp(-m_j)) + eps)
// The steps t are taken in blocks of 32 as well, so L may be any multiple of 32.
//
// D is never a difference of cumulative sums, which closed forget gates would make inexact. Between blocks it is a sum of
// parts that lie side by side: (a_t = i_t + rest of t's block) + (whole blocks between) + (j's block up to j). Within j's
// block, the invocation of row j adds up from j backwards.
//
// An invocation holds 16 rows of one column: rows 16*(thread/128) .. +15, column thread%128.

struct Params {
  q: Layout, k: Layout, v: Layout, i: Layout, f: Layout, h: Layout, readout: Layout, readout_plane: u32,
  B: u32, NH: u32, S: u32, DHQK: u32, DHHV: u32, L: u32, sigmoid: u32, normalize: u32, eps: f32,
}

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> i: array<f32>;
@group(0) @binding(4) var<storage, read> f: array<f32>;
@group(0) @binding(5) var<storage, read> entering: array<f32>;  // C | n | m, each [B, NH, NC, ...]
@group(0) @binding(6) var<storage, read_write> h: array<f32>;
@group(0) @binding(7) var<storage, read_write> readout: array<f32>;  // m | denominator, when HAS_READOUT
@group(0) @binding(8) var<uniform> params: Params;

override HAS_READOUT: u32 = 0;

const THREADS = 256u;                // and the largest L
const BLOCK = 32u;
const COLUMNS = 128u;
const DEPTH = 16u;                   // of DHQK in workgroup memory at a time
const KEY_STRIDE = 33u;              // one more than BLOCK, so that a column's stores spread over the banks

var<workgroup> log_forget: array<f32, THREADS>;          // of the chunk, up to and with this block
var<workgroup> a: array<f32, THREADS>;                   // i_t; a_t for the blocks before this one
var<workgroup> block_sum: array<f32, 8>;                 // sum of logf over a whole block
var<workgroup> within: array<f32, 32>;                   // sum of logf over j's block up to j
var<workgroup> stabilizer: array<f32, 32>;               // m_j
var<workgroup> carried: array<f32, 32>;
var<workgroup> denominator: array<f32, 32>;
var<workgroup> diagonal: array<f32, 1024>;               // D_jt of this block [t, j]
var<workgroup> scores: array<vec4<f32>, 256>;            // S_jt of a block [t, j / 4]
var<workgroup> queries: array<vec4<f32>, 128>;           // [d, j / 4], scaled
var<workgroup> keys: array<f32, 528>;                    // [d, t]

// Where a workgroup is: its chunk's first step in the sequence, and its block's first step in the chunk.
struct Place { b: u32, head: u32, chunk_start: u32, block_start: u32, steps: u32 }

// Elements d_start .. d_start + 15 of the block's queries; zero past the ends. A whole vector by one invocation, since a
// store to one component may touch the others.
fn load_queries(place: Place, d_start: u32, thread: u32) {
  if (thread >= DEPTH * BLOCK / 4u) { return; }
  let d = d_start + thread % DEPTH;
  let rows = place.block_start + 4u * (thread / DEPTH);
  var query = vec4<f32>();
  for (var r = 0u; r < 4u; r++) {
    if (d < params.DHQK && rows + r < place.steps) {
      query[r] = q[at(params.q, place.b, place.head, place.chunk_start + rows + r) + d];
    }
  }
  queries[(thread % DEPTH) * (BLOCK / 4u) + thread / DEPTH] = query * inverseSqrt(f32(params.DHQK));
}

fn load_keys(place: Place, key_block: u32, d_start: u32, thread: u32) {
  for (var index = thread; index < DEPTH * BLOCK; index += THREADS) {
    let d = index % DEPTH;
    let t = key_block * BLOCK + index / DEPTH;
    var key = 0.0;
    if (d_start + d < params.DHQK && t < place.steps) {
      key = k[at(params.k, place.b, place.head, place.chunk_start + t) + d_start + d];
    }
    keys[d * KEY_STRIDE + index / DEPTH] = key;
  }
}

// Fills log_forget, a, block_sum, diagonal, within, stabilizer and carried.
fn prepare_gates(place: Place, m_entering: f32, thread: u32) {
  log_forget[thread] = 0.0;
  a[thread] = 0.0;
  if (thread < min(place.block_start + BLOCK, place.steps)) {
    log_forget[thread] = log_forget_gate(f[at(params.f, place.b, place.head, place.chunk_start + thread)]);
    a[thread] = log_input_gate(i[at(params.i, place.b, place.head, place.chunk_start + thread)], params.sigmoid);
  }
  workgroupBarrier();
  if (thread < place.block_start) {
    var rest = 0.0;
    for (var t = thread | (BLOCK - 1u); t > thread; t--) { rest += log_forget[t]; }
    a[thread] += rest;
    if (thread % BLOCK == 0u) { block_sum[thread / BLOCK] = rest + log_forget[thread]; }
  } else if (thread >= THREADS - BLOCK) {
    // The last 32 invocations: never among those above, since block_start <= 224.
    let j = thread - (THREADS - BLOCK);
    var since = 0.0;
    var strongest = a[place.block_start + j];
    for (var back = 0u; back <= j; back++) {
      let t = j - back;
      let exponent = a[place.block_start + t] + since;
      diagonal[t * BLOCK + j] = exponent;
      strongest = larger(strongest, exponent);
      since += log_forget[place.block_start + t];
    }
    within[j] = since;
    stabilizer[j] = strongest;
  }
  workgroupBarrier();
  if (thread < BLOCK) {
    var since = within[thread];
    var strongest = stabilizer[thread];
    for (var block = place.block_start / BLOCK; block > 0u; block--) {
      for (var t = (block - 1u) * BLOCK; t < block * BLOCK; t++) { strongest = larger(strongest, since + a[t]); }
      since += block_sum[block - 1u];
    }
    strongest = larger(strongest, since + m_entering);
    if (params.sigmoid != 0u) { strongest = 0.0; }
    stabilizer[thread] = strongest;
    carried[thread] = exp(since + m_entering - strongest);
  }
  workgroupBarrier();
}

@compute @workgroup_size(THREADS)
fn mlstm_chunkwise_outputs(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                           @builtin(local_invocation_index) thread: u32) {
  let blocks = (params.S + BLOCK - 1u) / BLOCK;
  let tiles = (params.DHHV + COLUMNS - 1u) / COLUMNS;
  let work = group.x + group.y * groups.x;
  let cell = work / (blocks * tiles);
  let cells = params.B * params.NH;
  if (cell >= cells) { return; }
  // L is a multiple of 32, so blocks count through from chunk to chunk.
  let first = ((work / tiles) % blocks) * BLOCK;
  let chunk = first / params.L;
  var place: Place;
  place.b = cell / params.NH;
  place.head = cell % params.NH;
  place.chunk_start = chunk * params.L;
  place.block_start = first - place.chunk_start;
  place.steps = min(params.L, params.S - place.chunk_start);
  let column = (work % tiles) * COLUMNS + thread % COLUMNS;
  let valid = column < params.DHHV;
  let quarter = 4u * (thread / COLUMNS);       // of this invocation's rows, in vectors

  let chunks = (params.S + params.L - 1u) / params.L;
  let entry = cell * chunks + chunk;
  let n_plane = cells * chunks * params.DHQK * params.DHHV;
  let n_start = n_plane + entry * params.DHQK;
  var m_entering = entering[n_plane + cells * chunks * params.DHQK + entry];
  if (params.sigmoid != 0u) { m_entering = 0.0; }
  prepare_gates(place, m_entering, thread);

  // carried_j C^T q_j, and with n in the first 32 invocations.
  var sum0 = vec4<f32>();
  var sum1 = vec4<f32>();
  var sum2 = vec4<f32>();
  var sum3 = vec4<f32>();
  var row_sum = 0.0;
  for (var d_start = 0u; d_start < params.DHQK; d_start += DEPTH) {
    workgroupBarrier();
    load_queries(place, d_start, thread);
    workgroupBarrier();
    for (var d = 0u; d < min(DEPTH, params.DHQK - d_start); d++) {
      if (valid) {
        let c = entering[(entry * params.DHQK + d_start + d) * params.DHHV + column];
        let row = d * (BLOCK / 4u) + quarter;
        sum0 += c * queries[row];
        sum1 += c * queries[row + 1u];
        sum2 += c * queries[row + 2u];
        sum3 += c * queries[row + 3u];
      }
      if (thread < BLOCK) {
        row_sum += entering[n_start + d_start + d] * queries[d * (BLOCK / 4u) + thread / 4u][thread % 4u];
      }
    }
  }
  let rows = 4u * quarter;
  sum0 *= vec4<f32>(carried[rows], carried[rows + 1u], carried[rows + 2u], carried[rows + 3u]);
  sum1 *= vec4<f32>(carried[rows + 4u], carried[rows + 5u], carried[rows + 6u], carried[rows + 7u]);
  sum2 *= vec4<f32>(carried[rows + 8u], carried[rows + 9u], carried[rows + 10u], carried[rows + 11u]);
  sum3 *= vec4<f32>(carried[rows + 12u], carried[rows + 13u], carried[rows + 14u], carried[rows + 15u]);
  if (thread < BLOCK) { row_sum *= carried[thread]; }

  // Blocks of keys from this one back to the chunk's first; an invocation scores one key against four queries.
  let this_block = place.block_start / BLOCK;
  let t = thread % BLOCK;
  let j = 4u * (thread / BLOCK);
  var between = 0.0;
  for (var back = 0u; back <= this_block; back++) {
    let key_block = this_block - back;
    var score = vec4<f32>();
    for (var d_start = 0u; d_start < params.DHQK; d_start += DEPTH) {
      workgroupBarrier();
      load_queries(place, d_start, thread);
      load_keys(place, key_block, d_start, thread);
      workgroupBarrier();
      for (var d = 0u; d < DEPTH; d++) { score += keys[d * KEY_STRIDE + t] * queries[d * (BLOCK / 4u) + thread / BLOCK]; }
    }
    for (var r = 0u; r < 4u; r++) {
      if (back == 0u) {
        if (t <= j + r) { score[r] *= exp(diagonal[t * BLOCK + j + r] - stabilizer[j + r]); } else { score[r] = 0.0; }
      } else {
        score[r] *= exp(within[j + r] + between + a[key_block * BLOCK + t] - stabilizer[j + r]);
      }
    }
    scores[t * (BLOCK / 4u) + thread / BLOCK] = score;
    workgroupBarrier();
    let steps = min(BLOCK, place.steps - key_block * BLOCK);
    if (valid) {
      for (var step = 0u; step < steps; step++) {
        let value = v[at(params.v, place.b, place.head, place.chunk_start + key_block * BLOCK + step) + column];
        let row = step * (BLOCK / 4u) + quarter;
        sum0 += value * scores[row];
        sum1 += value * scores[row + 1u];
        sum2 += value * scores[row + 2u];
        sum3 += value * scores[row + 3u];
      }
    }
    if (thread < BLOCK) {
      for (var step = 0u; step < steps; step++) { row_sum += scores[step * (BLOCK / 4u) + thread / 4u][thread % 4u]; }
    }
    if (back > 0u) { between += block_sum[key_block]; }
  }
  if (thread < BLOCK) {
    denominator[thread] = row_sum;
    if (HAS_READOUT != 0u && work % tiles == 0u && place.block_start + thread < place.steps) {
      let row = at(params.readout, place.b, place.head, place.chunk_start + place.block_start + thread);
      readout[row] = stabilizer[thread];
      readout[params.readout_plane + row] = row_sum;
    }
  }
  workgroupBarrier();
  if (!valid) { return; }
  let sums = array<vec4<f32>, 4>(sum0, sum1, sum2, sum3);
  for (var r = 0u; r < 16u; r++) {
    let row = place.block_start + rows + r;
    if (row >= place.steps) { return; }
    h[at(params.h, place.b, place.head, place.chunk_start + row) + column] =
      normalized(sums[r / 4u][r % 4u], denominator[rows + r], stabilizer[rows + r], params.normalize, params.eps);
  }
}
