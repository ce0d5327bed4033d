// The gradient of the state that every chunk leaves, for one (b, head) and a 64 x 64 tile of dC [DHQK, DHHV], which stays
// in registers from the last chunk to the first. Through a chunk, from its leaving to its entering state:
//   dC <- decay dC + sum_j carried_j q_j (dh_j / N_j)^T;   dn <- decay dn + sum_j carried_j dden_j q_j
// On the way, the product of each state and its gradient is summed up over the tile.

struct Params { q: Layout, dh: Layout, B: u32, NH: u32, S: u32, DHQK: u32, DHHV: u32, L: u32 }

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> dh: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<f32>;
@group(0) @binding(3) var<storage, read> entering: array<f32>;        // C | n | m, each [B, NH, NC, ...]
@group(0) @binding(4) var<storage, read> last: array<f32>;            // C | n | m
@group(0) @binding(5) var<storage, read_write> carry: array<f32>;     // C | n | m
@group(0) @binding(6) var<storage, read_write> leaving: array<f32>;   // C | n, each [B, NH, NC, ...]
@group(0) @binding(7) var<storage, read_write> flux: array<f32>;      // [tiles, B, NH, NC + 1]
@group(0) @binding(8) var<uniform> params: Params;

var<workgroup> denominators: array<f32, DEPTH>;
var<workgroup> products: array<f32, THREADS>;

// What an invocation holds: dC by row, over its four columns; dn by row.
struct Part { c: Sums, n: vec4<f32> }

struct Place { b: u32, head: u32, row: u32, column: u32, holds_n: bool }

fn dot_last(part: Part, place: Place, cell: u32, n_plane: u32) -> f32 {
  var sum = 0.0;
  for (var r = 0u; r < 4u; r++) {
    if (place.row + r >= params.DHQK) { break; }
    let row = cell * params.DHQK + place.row + r;
    let gradient = row_of(part.c, r);
    for (var e = 0u; e < 4u; e++) {
      if (place.column + e < params.DHHV) { sum += gradient[e] * last[row * params.DHHV + place.column + e]; }
    }
    if (place.holds_n) { sum += part.n[r] * last[n_plane + row]; }
  }
  return sum;
}

fn dot_entering(part: Part, place: Place, entry: u32, n_plane: u32) -> f32 {
  var sum = 0.0;
  for (var r = 0u; r < 4u; r++) {
    if (place.row + r >= params.DHQK) { break; }
    let row = entry * params.DHQK + place.row + r;
    let gradient = row_of(part.c, r);
    for (var e = 0u; e < 4u; e++) {
      if (place.column + e < params.DHHV) { sum += gradient[e] * entering[row * params.DHHV + place.column + e]; }
    }
    if (place.holds_n) { sum += part.n[r] * entering[n_plane + row]; }
  }
  return sum;
}

fn total(product: f32, thread: u32) -> f32 {
  workgroupBarrier();
  products[thread] = product;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { products[thread] += products[thread + half]; }
  }
  workgroupBarrier();
  return products[0];
}

@compute @workgroup_size(THREADS)
fn mlstm_chunkwise_backward_states(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                                   @builtin(local_invocation_index) thread: u32) {
  let row_tiles = (params.DHQK + TILE - 1u) / TILE;
  let column_tiles = (params.DHHV + TILE - 1u) / TILE;
  let tiles = row_tiles * column_tiles;
  let work = group.x + group.y * groups.x;
  let cell = work / tiles;
  let cells = params.B * params.NH;
  if (cell >= cells) { return; }
  let tile = work % tiles;
  let rows_start = (tile / column_tiles) * TILE;
  let columns_start = (tile % column_tiles) * TILE;
  let chunks = (params.S + params.L - 1u) / params.L;
  let plane = cells * params.S;
  let n_plane = cells * params.DHQK * params.DHHV;
  var place: Place;
  place.b = cell / params.NH;
  place.head = cell % params.NH;
  place.row = rows_start + 4u * (thread / 16u);
  place.column = columns_start + 4u * (thread % 16u);
  // n is carried by the first column of invocations of the first column of tiles.
  place.holds_n = columns_start == 0u && thread % 16u == 0u;
  let scale = inverseSqrt(f32(params.DHQK));

  var part: Part;
  var loaded: array<vec4<f32>, 4>;
  for (var r = 0u; r < 4u; r++) {
    if (place.row + r >= params.DHQK) { break; }
    let row = cell * params.DHQK + place.row + r;
    for (var e = 0u; e < 4u; e++) {
      if (place.column + e < params.DHHV) { loaded[r][e] = carry[row * params.DHHV + place.column + e]; }
    }
    part.n[r] = carry[n_plane + row];
  }
  part.c = Sums(loaded[0], loaded[1], loaded[2], loaded[3]);

  for (var back = 0u; back < chunks; back++) {
    let chunk = chunks - 1u - back;
    let entry = cell * chunks + chunk;
    for (var r = 0u; r < 4u; r++) {
      if (place.row + r >= params.DHQK) { break; }
      let row = entry * params.DHQK + place.row + r;
      let gradient = row_of(part.c, r);
      for (var e = 0u; e < 4u; e++) {
        if (place.column + e < params.DHHV) { leaving[row * params.DHHV + place.column + e] = gradient[e]; }
      }
      if (place.holds_n) { leaving[n_plane * chunks + row] = part.n[r]; }
    }
    var product = 0.0;
    if (back == 0u) {
      product = dot_last(part, place, cell, n_plane);
    } else {
      product = dot_entering(part, place, entry + 1u, n_plane * chunks);
    }
    let passing = total(product, thread);
    if (thread == 0u) { flux[(tile * cells + cell) * (chunks + 1u) + chunk + 1u] = passing; }

    let decay = rows[DECAY * plane + entry];
    part.c.r0 *= decay;
    part.c.r1 *= decay;
    part.c.r2 *= decay;
    part.c.r3 *= decay;
    part.n *= decay;
    let first = chunk * params.L;
    let steps = min(params.L, params.S - first);
    let row0 = cell * params.S + first;
    for (var start = 0u; start < steps; start += DEPTH) {
      let j = start + thread / DEPTH;
      var query = vec4<f32>();
      var delta = vec4<f32>();
      if (j < steps) {
        let q_start = at(params.q, place.b, place.head, first + j);
        let dh_start = at(params.dh, place.b, place.head, first + j);
        for (var x = 0u; x < 4u; x++) {
          let d = rows_start + 4u * (thread % 16u) + x;
          if (d < params.DHQK) { query[x] = q[q_start + d]; }
          if (place.column + x < params.DHHV) { delta[x] = dh[dh_start + place.column + x]; }
        }
        query *= scale * rows[CARRIED * plane + row0 + j];
        delta *= rows[INVERSE * plane + row0 + j];
      }
      workgroupBarrier();
      tile_a[along_quads(thread)] = query;
      tile_b[along_quads(thread)] = delta;
      if (thread < DEPTH) {
        denominators[thread] = 0.0;
        if (start + thread < steps) { denominators[thread] = rows[DENOMINATOR * plane + row0 + start + thread]; }
      }
      workgroupBarrier();
      part.c = add_products(part.c, thread);
      if (columns_start == 0u) {
        for (var x = 0u; x < DEPTH; x++) { part.n += denominators[x] * tile_a[x * STRIDE + thread / 16u]; }
      }
    }
  }

  let passing = total(dot_entering(part, place, cell * chunks, n_plane * chunks), thread);
  if (thread == 0u) { flux[(tile * cells + cell) * (chunks + 1u)] = passing; }
  for (var r = 0u; r < 4u; r++) {
    if (place.row + r >= params.DHQK) { break; }
    let row = cell * params.DHQK + place.row + r;
    let gradient = row_of(part.c, r);
    for (var e = 0u; e < 4u; e++) {
      if (place.column + e < params.DHHV) { carry[row * params.DHHV + place.column + e] = gradient[e]; }
    }
    if (place.holds_n) { carry[n_plane + row] = part.n[r]; }
  }
}
