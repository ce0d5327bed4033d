// The state that every chunk of L steps is entered with, for one (b, head); an invocation takes 8 rows of 4 columns of
// C [DHQK, DHHV], without barriers: for software adapters. It takes the steps one by one, which comes to the same:
//   m' = max(logf + m, i);  C' = exp(logf + m - m') C + exp(i - m') k v^T;  n' alike with k

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
const THREADS = 4u;
const ROWS = 8u;

// What an invocation holds: c by row, over its four columns; n by row.
struct Part { c: array<vec4<f32>, 8>, n_low: vec4<f32>, n_high: vec4<f32>, gates: Gates }

// Where it lies: rows and columns past the end repeat the last one and are not stored.
struct Place { rows: u32, row: u32, column: vec4<u32>, valid: vec4<bool>, holds_n: bool, holds_m: bool }

fn load(place: Place, cell: u32) -> Part {
  let n_plane = params.B * params.NH * params.DHQK * params.DHHV;
  var part: Part;
  for (var r = 0u; r < ROWS; r++) {
    let row = cell * params.DHQK + min(place.row + r, params.DHQK - 1u);
    let c = row * params.DHHV + place.column;
    part.c[r] = vec4(initial[c.x], initial[c.y], initial[c.z], initial[c.w]);
    if (r < 4u) { part.n_low[r] = initial[n_plane + row]; } else { part.n_high[r - 4u] = initial[n_plane + row]; }
  }
  part.gates = initial_gates(initial[n_plane + params.B * params.NH * params.DHQK + cell], params.sigmoid);
  return part;
}

fn store(place: Place, part: Part, entry: u32, entries: u32, to_last: bool) {
  let n_plane = entries * params.DHQK * params.DHHV;
  for (var r = 0u; r < place.rows; r++) {
    let row = entry * params.DHQK + place.row + r;
    for (var e = 0u; e < 4u; e++) {
      if (place.valid[e]) { put(row * params.DHHV + place.column[e], part.c[r][e], to_last); }
    }
    if (place.holds_n) { put(n_plane + row, select(part.n_high[r % 4u], part.n_low[r % 4u], r < 4u), to_last); }
  }
  if (place.holds_m) { put(n_plane + entries * params.DHQK + entry, part.gates.m, to_last); }
}

fn put(index: u32, value: f32, to_last: bool) { if (to_last) { last[index] = value; } else { entering[index] = value; } }

@compute @workgroup_size(THREADS)
fn mlstm_chunkwise_states(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                          @builtin(local_invocation_index) thread: u32) {
  // Neighbouring invocations have neighbouring columns, which a software adapter loads as one vector.
  let column_tiles = (params.DHHV + 4u * THREADS - 1u) / (4u * THREADS);
  let row_tiles = (params.DHQK + ROWS - 1u) / ROWS;
  let work = group.x + group.y * groups.x;
  let cell = work / (row_tiles * column_tiles);
  let cells = params.B * params.NH;
  if (cell >= cells) { return; }
  let b = cell / params.NH;
  let head = cell % params.NH;
  let first = (work % column_tiles) * 4u * THREADS + thread;
  let columns = vec4(first, first + THREADS, first + 2u * THREADS, first + 3u * THREADS);
  var place: Place;
  place.row = (work / column_tiles) % row_tiles * ROWS;
  place.rows = min(ROWS, params.DHQK - place.row);
  place.column = min(columns, vec4(params.DHHV - 1u));
  place.valid = columns < vec4(params.DHHV);
  place.holds_n = columns.x == 0u;
  place.holds_m = columns.x == 0u && place.row == 0u;
  let last_row = vec4(params.DHQK - 1u);
  let low = min(vec4(place.row, place.row + 1u, place.row + 2u, place.row + 3u), last_row);
  let high = min(vec4(place.row + 4u, place.row + 5u, place.row + 6u, place.row + 7u), last_row);
  let chunks = (params.S + params.L - 1u) / params.L;

  var part = load(place, cell);
  var gates = part.gates;
  for (var chunk = 0u; chunk < chunks; chunk++) {
    if (HAS_ENTERING != 0u) { store(place, part, cell * chunks + chunk, cells * chunks, false); }
    var c0 = part.c[0]; var c1 = part.c[1]; var c2 = part.c[2]; var c3 = part.c[3];
    var c4 = part.c[4]; var c5 = part.c[5]; var c6 = part.c[6]; var c7 = part.c[7];
    for (var t = chunk * params.L; t < min((chunk + 1u) * params.L, params.S); t++) {
      gates = advance(gates, f[at(params.f, b, head, t)], i[at(params.i, b, head, t)], params.sigmoid);
      let at_value = at(params.v, b, head, t) + place.column;
      let value = gates.input * vec4(v[at_value.x], v[at_value.y], v[at_value.z], v[at_value.w]);
      let at_low = at(params.k, b, head, t) + low;
      let at_high = at(params.k, b, head, t) + high;
      let key_low = vec4(k[at_low.x], k[at_low.y], k[at_low.z], k[at_low.w]);
      let key_high = vec4(k[at_high.x], k[at_high.y], k[at_high.z], k[at_high.w]);
      c0 = gates.decay * c0 + key_low.x * value;
      c1 = gates.decay * c1 + key_low.y * value;
      c2 = gates.decay * c2 + key_low.z * value;
      c3 = gates.decay * c3 + key_low.w * value;
      c4 = gates.decay * c4 + key_high.x * value;
      c5 = gates.decay * c5 + key_high.y * value;
      c6 = gates.decay * c6 + key_high.z * value;
      c7 = gates.decay * c7 + key_high.w * value;
      part.n_low = gates.decay * part.n_low + gates.input * key_low;
      part.n_high = gates.decay * part.n_high + gates.input * key_high;
    }
    part.gates = gates;
    part.c = array<vec4<f32>, 8>(c0, c1, c2, c3, c4, c5, c6, c7);
  }
  store(place, part, cell, cells, true);
}
