// The state that every chunk of L steps is entered with, for one (b, head) and a 64 x 64 tile of C [DHQK, DHHV], which
// stays in registers from the first chunk to the last. With g = sum of logf over the chunk:
//   a_t = i_t + (sum of logf after t);  m' = max(g + m, max_t a_t)
//   C'  = exp(g + m - m') C + sum_t exp(a_t - m') k_t v_t^T;  n' alike with k
// Sums of logf run from the chunk's end back to t, so that none is a difference of two larger ones.
// An invocation holds 4 rows x 4 columns: rows 4*(thread/16) .. +3, columns thread%16 + 16*{0, 1, 2, 3}.

struct Params {
  k: Layout, v: Layout, i: Layout, f: Layout,
  B: u32, NH: u32, S: u32, DHQK: u32, DHHV: u32, L: u32, sigmoid: u32,
}

@group(0) @binding(0) var<storage, read> k: array<f32>;
@group(0) @binding(1) var<storage, read> v: array<f32>;
@group(0) @binding(2) var<storage, read> i: array<f32>;
@group(0) @binding(3) var<storage, read> f: array<f32>;
@group(0) @binding(4) var<storage, read> initial: array<f32>;         // C | n | m
@group(0) @binding(5) var<storage, read_write> entering: array<f32>;  // C | n | m, each [B, NH, NC, ...], when HAS_ENTERING
@group(0) @binding(6) var<storage, read_write> last: array<f32>;      // C | n | m
@group(0) @binding(7) var<uniform> params: Params;

override HAS_ENTERING: u32 = 1;
const THREADS = 256u;                // and the largest L
const TILE = 64u;
const STEPS = 16u;                   // of a chunk in workgroup memory at a time

var<workgroup> after: array<f32, THREADS>;            // sum of logf from t on
var<workgroup> weight: array<f32, THREADS>;           // a_t, then exp(a_t - m')
var<workgroup> strongest: array<f32, THREADS>;
var<workgroup> keys: array<vec4<f32>, 256>;           // [STEPS, TILE / 4], times their weight
var<workgroup> values: array<f32, 1024>;              // [STEPS, TILE]

@compute @workgroup_size(THREADS)
fn mlstm_chunkwise_states(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                          @builtin(local_invocation_index) thread: u32) {
  let row_tiles = (params.DHQK + TILE - 1u) / TILE;
  let column_tiles = (params.DHHV + TILE - 1u) / TILE;
  let work = group.x + group.y * groups.x;
  let cell = work / (row_tiles * column_tiles);
  let cells = params.B * params.NH;
  if (cell >= cells) { return; }
  let b = cell / params.NH;
  let head = cell % params.NH;
  let row_tile = (work / column_tiles) % row_tiles;
  let column_tile = work % column_tiles;
  let rows = row_tile * TILE;
  let columns = column_tile * TILE;
  let row = rows + 4u * (thread / 16u);
  let column = columns + thread % 16u;
  let chunks = (params.S + params.L - 1u) / params.L;
  let n_plane = cells * params.DHQK * params.DHHV;
  let m_plane = n_plane + cells * params.DHQK;
  // n is advanced by the first column of invocations of the first column of tiles, m by the first invocation.
  let holds_n = column_tile == 0u && thread % 16u == 0u;
  let holds_m = column_tile == 0u && row_tile == 0u && thread == 0u;

  var c: array<vec4<f32>, 4>;        // by row, over the four columns
  var n = vec4<f32>();               // by row
  for (var r = 0u; r < 4u; r++) {
    if (row + r >= params.DHQK) { continue; }
    for (var e = 0u; e < 4u; e++) {
      if (column + 16u * e < params.DHHV) {
        c[r][e] = initial[(cell * params.DHQK + row + r) * params.DHHV + column + 16u * e];
      }
    }
    n[r] = initial[n_plane + cell * params.DHQK + row + r];
  }
  var m = initial[m_plane + cell];
  if (params.sigmoid != 0u) { m = 0.0; }

  for (var chunk = 0u; chunk < chunks; chunk++) {
    if (HAS_ENTERING != 0u) {
      let place = cell * chunks + chunk;
      for (var r = 0u; r < 4u; r++) {
        if (row + r >= params.DHQK) { continue; }
        for (var e = 0u; e < 4u; e++) {
          if (column + 16u * e < params.DHHV) {
            entering[(place * params.DHQK + row + r) * params.DHHV + column + 16u * e] = c[r][e];
          }
        }
        if (holds_n) { entering[n_plane * chunks + place * params.DHQK + row + r] = n[r]; }
      }
      if (holds_m) { entering[m_plane * chunks + place] = m; }
    }

    // Steps past the sequence's end leave the state alone: forget gate 1, weight 0.
    let first = chunk * params.L;
    let steps = min(params.L, params.S - first);
    var log_input = 0.0;
    after[thread] = 0.0;
    if (thread < steps) {
      after[thread] = log_forget_gate(f[at(params.f, b, head, first + thread)]);
      log_input = log_input_gate(i[at(params.i, b, head, first + thread)], params.sigmoid);
    }
    for (var reach = 1u; reach < params.L; reach *= 2u) {
      workgroupBarrier();
      var sum = after[thread];
      if (thread + reach < THREADS) { sum += after[thread + reach]; }
      workgroupBarrier();
      after[thread] = sum;
    }
    workgroupBarrier();
    let g = after[0];
    var a = g + m;
    if (thread < steps) {
      a = log_input;
      if (thread + 1u < steps) { a += after[thread + 1u]; }
    }
    weight[thread] = a;
    strongest[thread] = larger(a, g + m);
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if (thread < half) { strongest[thread] = larger(strongest[thread], strongest[thread + half]); }
    }
    workgroupBarrier();
    var leaving = strongest[0];
    if (params.sigmoid != 0u) { leaving = 0.0; }
    weight[thread] = select(0.0, exp(a - leaving), thread < steps);

    let decay = exp(g + m - leaving);
    for (var r = 0u; r < 4u; r++) { c[r] *= decay; }
    n *= decay;
    m = leaving;

    for (var start = 0u; start < params.L; start += STEPS) {
      workgroupBarrier();
      // A whole vector of keys each, since a store to one component may touch the others.
      let t_keys = start + thread / 16u;
      var key = vec4<f32>();
      if (t_keys < steps) {
        let place = at(params.k, b, head, first + t_keys);
        for (var r = 0u; r < 4u; r++) {
          let d = rows + 4u * (thread % 16u) + r;
          if (d < params.DHQK) { key[r] = weight[t_keys] * k[place + d]; }
        }
      }
      keys[thread] = key;
      for (var index = thread; index < STEPS * TILE; index += THREADS) {
        let t = start + index / TILE;
        let e = columns + index % TILE;
        var value = 0.0;
        if (t < steps && e < params.DHHV) { value = v[at(params.v, b, head, first + t) + e]; }
        values[index] = value;
      }
      workgroupBarrier();
      for (var t = 0u; t < STEPS; t++) {
        let key = keys[t * (TILE / 4u) + thread / 16u];
        let place = t * TILE + thread % 16u;
        let value = vec4<f32>(values[place], values[place + 16u], values[place + 32u], values[place + 48u]);
        c[0] += key.x * value;
        c[1] += key.y * value;
        c[2] += key.z * value;
        c[3] += key.w * value;
        n += key;
      }
    }
    // The next chunk overwrites `after` and `weight`.
    workgroupBarrier();
  }

  for (var r = 0u; r < 4u; r++) {
    if (row + r >= params.DHQK) { continue; }
    for (var e = 0u; e < 4u; e++) {
      if (column + 16u * e < params.DHHV) {
        last[(cell * params.DHQK + row + r) * params.DHHV + column + 16u * e] = c[r][e];
      }
    }
    if (holds_n) { last[n_plane + cell * params.DHQK + row + r] = n[r]; }
  }
  if (holds_m) { last[m_plane + cell] = m; }
}
