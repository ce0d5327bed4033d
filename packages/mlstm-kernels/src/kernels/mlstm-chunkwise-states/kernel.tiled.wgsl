// The state that every chunk of L = 64 steps is entered with, for one (b, head) and a 64 x 128 tile of C [DHQK, DHHV], by
// the formulas of the plain form; the tile stays in registers from the first chunk to the last.
//
// An invocation holds eight rows of four columns: with p = thread/32, rows 2p + 16*{0, 1, 2, 3} and 2p+1 + 16*{0, 1, 2, 3},
// which neighbouring invocations share; columns thread%32 + 32*{0, 1, 2, 3}. Keys and values pass through workgroup memory
// 16 steps at a time; the next ones are loaded while these are multiplied.

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
const THREADS = 256u;
const LENGTH = 64u;                  // L
const ROWS = 64u;
const COLUMNS = 128u;
const STEPS = 16u;                   // of a chunk in workgroup memory at a time

var<workgroup> after: array<f32, LENGTH>;             // sum of logf from t on
var<workgroup> strongest: array<f32, LENGTH>;         // max over s >= t of a_s
var<workgroup> weight: array<f32, LENGTH>;            // exp(a_t - m')
var<workgroup> keys: array<vec4<f32>, 256>;           // [t, row % 16], times their weight
var<workgroup> values: array<vec4<f32>, 512>;         // [t, column % 32]
var<workgroup> partial: array<f32, THREADS>;          // of n [row, 4]

// What an invocation brings to workgroup memory next.
struct Part { key: vec4<f32>, value0: vec4<f32>, value1: vec4<f32> }

// Where a workgroup is.
struct Place { b: u32, head: u32, row: u32, column: u32 }

fn load_value(place: Place, t: u32, lane: u32) -> vec4<f32> {
  var value = vec4<f32>();
  if (t < params.S) {
    let start = at(params.v, place.b, place.head, t);
    for (var e = 0u; e < 4u; e++) {
      let column = place.column + lane + 32u * e;
      if (column < params.DHHV) { value[e] = v[start + column]; }
    }
  }
  return value;
}

fn load_part(place: Place, first: u32, thread: u32) -> Part {
  var part: Part;
  let t = first + thread / 16u;
  if (t < params.S) {
    let start = at(params.k, place.b, place.head, t);
    for (var e = 0u; e < 4u; e++) {
      let row = place.row + thread % 16u + 16u * e;
      if (row < params.DHQK) { part.key[e] = k[start + row]; }
    }
  }
  part.value0 = load_value(place, first + thread / 32u, thread % 32u);
  part.value1 = load_value(place, first + 8u + thread / 32u, thread % 32u);
  return part;
}

// Of this invocation's step of a chunk: logf and the logarithm of the input gate. Steps past the sequence's end leave the
// state alone: forget gate 1, input CLOSED.
fn load_gates(place: Place, first: u32, thread: u32) -> vec2<f32> {
  let t = first + thread;
  if (thread >= LENGTH || t >= params.S) { return vec2(0.0, CLOSED); }
  return vec2(log_forget_gate(f[at(params.f, place.b, place.head, t)]),
              log_input_gate(i[at(params.i, place.b, place.head, t)], params.sigmoid));
}

@compute @workgroup_size(THREADS)
fn mlstm_chunkwise_states(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                          @builtin(local_invocation_index) thread: u32) {
  let row_tiles = (params.DHQK + ROWS - 1u) / ROWS;
  let column_tiles = (params.DHHV + COLUMNS - 1u) / COLUMNS;
  let work = group.x + group.y * groups.x;
  let cell = work / (row_tiles * column_tiles);
  let cells = params.B * params.NH;
  if (cell >= cells) { return; }
  var place: Place;
  place.b = cell / params.NH;
  place.head = cell % params.NH;
  place.row = (work / column_tiles) % row_tiles * ROWS;
  place.column = work % column_tiles * COLUMNS;
  let lane = thread % 32u;
  let pair = 2u * (thread / 32u);
  let chunks = (params.S + LENGTH - 1u) / LENGTH;
  let n_plane = cells * params.DHQK * params.DHHV;
  let m_plane = n_plane + cells * params.DHQK;
  // n is advanced by the first column of tiles, four invocations a row; m by the first invocation.
  let holds_n = place.column == 0u;
  let holds_m = holds_n && place.row == 0u && thread == 0u;
  let n_row = place.row + thread / 4u;

  var c: array<vec4<f32>, 8>;        // by row, over the four columns
  for (var r = 0u; r < 8u; r++) {
    let row = place.row + pair + r / 4u + 16u * (r % 4u);
    if (row >= params.DHQK) { continue; }
    for (var e = 0u; e < 4u; e++) {
      let column = place.column + lane + 32u * e;
      if (column < params.DHHV) { c[r][e] = initial[(cell * params.DHQK + row) * params.DHHV + column]; }
    }
  }
  var n = 0.0;
  if (thread % 4u == 0u && n_row < params.DHQK) { n = initial[n_plane + cell * params.DHQK + n_row]; }
  var m = initial[m_plane + cell];
  if (params.sigmoid != 0u) { m = 0.0; }

  var part = load_part(place, 0u, thread);
  var gates = load_gates(place, 0u, thread);
  // The pass after the last chunk only stores.
  for (var chunk = 0u; chunk <= chunks; chunk++) {
    let ends = chunk == chunks;
    if (holds_n) {
      partial[thread] = n;
      workgroupBarrier();
    }
    if (ends || HAS_ENTERING != 0u) {
      let entry = select(cell * chunks + chunk, cell, ends);
      for (var r = 0u; r < 8u; r++) {
        let row = place.row + pair + r / 4u + 16u * (r % 4u);
        if (row >= params.DHQK) { continue; }
        let start = (entry * params.DHQK + row) * params.DHHV + place.column + lane;
        for (var e = 0u; e < 4u; e++) {
          if (place.column + lane + 32u * e >= params.DHHV) { break; }
          if (ends) { last[start + 32u * e] = c[r][e]; } else { entering[start + 32u * e] = c[r][e]; }
        }
      }
      if (holds_n && thread % 4u == 0u && n_row < params.DHQK) {
        let total = (partial[thread] + partial[thread + 1u]) + (partial[thread + 2u] + partial[thread + 3u]);
        let d = entry * params.DHQK + n_row;
        if (ends) { last[n_plane + d] = total; } else { entering[n_plane * chunks + d] = total; }
      }
      if (holds_m) {
        if (ends) { last[m_plane + cell] = m; } else { entering[m_plane * chunks + entry] = m; }
      }
    }
    if (ends) { break; }

    // Sums from the chunk's end back, in a scan; a later part (g, a) and an earlier one (g', a') are together
    // (g' + g, max(a' + g, a)).
    let first = chunk * LENGTH;
    var sum = gates.x;
    var most = gates.y;
    if (thread < LENGTH) {
      after[thread] = sum;
      strongest[thread] = most;
    }
    for (var reach = 1u; reach < LENGTH; reach *= 2u) {
      workgroupBarrier();
      if (thread + reach < LENGTH) {
        let later = after[thread + reach];
        most = larger(most + later, strongest[thread + reach]);
        sum += later;
      }
      workgroupBarrier();
      if (thread < LENGTH) {
        after[thread] = sum;
        strongest[thread] = most;
      }
    }
    workgroupBarrier();
    let g = after[0];
    var leaving = larger(strongest[0], g + m);
    if (params.sigmoid != 0u) { leaving = 0.0; }
    if (thread < LENGTH) {
      var a = gates.y;
      if (thread + 1u < LENGTH) { a += after[thread + 1u]; }
      weight[thread] = select(0.0, exp(a - leaving), first + thread < params.S);
    }
    gates = load_gates(place, first + LENGTH, thread);
    let decay = exp(g + m - leaving);
    for (var r = 0u; r < 8u; r++) { c[r] *= decay; }
    n *= decay;
    m = leaving;

    for (var start = 0u; start < LENGTH; start += STEPS) {
      workgroupBarrier();
      keys[thread] = weight[start + thread / 16u] * part.key;
      values[thread] = part.value0;
      values[thread + THREADS] = part.value1;
      workgroupBarrier();
      part = load_part(place, first + start + STEPS, thread);
      if (holds_n) {
        let row = thread / 4u;
        for (var t = thread % 4u; t < STEPS; t += 4u) { n += keys[t * 16u + row % 16u][row / 16u]; }
      }
      for (var t = 0u; t < STEPS; t++) {
        let key0 = keys[t * 16u + pair];
        let key1 = keys[t * 16u + pair + 1u];
        let value = values[t * 32u + lane];
        c[0] += key0.x * value;
        c[1] += key0.y * value;
        c[2] += key0.z * value;
        c[3] += key0.w * value;
        c[4] += key1.x * value;
        c[5] += key1.y * value;
        c[6] += key1.z * value;
        c[7] += key1.w * value;
      }
    }
  }
}
