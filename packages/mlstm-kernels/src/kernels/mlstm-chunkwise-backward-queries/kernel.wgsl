// dq of 64 steps j of a chunk and 64 of the DHQK columns, for one (b, head):
//   dq_j = (carried_j (C dh_j / N_j + dden_j n) + sum_{t <= j} G_jt k_t) / sqrt(DHQK)
// with (C, n) the state that the chunk was entered with.

struct Params {
  q: Layout, k: Layout, dh: Layout, gradient: Layout,
  B: u32, NH: u32, S: u32, DHQK: u32, DHHV: u32, L: u32, accumulate: u32,
}

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> dh: array<f32>;
@group(0) @binding(3) var<storage, read> rows: array<f32>;
@group(0) @binding(4) var<storage, read> entering: array<f32>;          // C | n | m, each [B, NH, NC, ...]
@group(0) @binding(5) var<storage, read> scores: array<f32>;            // S | G, each [B, NH, NC, L, L]
@group(0) @binding(6) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(7) var<storage, read_write> arriving: array<f32>;    // [column tiles, B, NH, S]
@group(0) @binding(8) var<uniform> params: Params;

var<workgroup> products: array<f32, 1088>;           // [row, 17]

// Where a workgroup is: its chunk's first step in the sequence, its tile's first step in the chunk and first column.
struct Place { b: u32, head: u32, first: u32, steps: u32, row: u32, column: u32, entry: u32, row0: u32 }

// sum_e dh_j[e] C[d, e]
fn through_state(place: Place, thread: u32) -> Sums {
  var sums: Sums;
  for (var start = 0u; start < params.DHHV; start += DEPTH) {
    let e = start + thread % DEPTH;
    let quad = 4u * (thread / DEPTH);
    var delta = vec4<f32>();
    var c = vec4<f32>();
    for (var r = 0u; r < 4u; r++) {
      let j = place.row + quad + r;
      let d = place.column + quad + r;
      if (e < params.DHHV && j < place.steps) { delta[r] = dh[at(params.dh, place.b, place.head, place.first + j) + e]; }
      if (e < params.DHHV && d < params.DHQK) { c[r] = entering[(place.entry * params.DHQK + d) * params.DHHV + e]; }
    }
    workgroupBarrier();
    tile_a[along_x(thread)] = delta;
    tile_b[along_x(thread)] = c;
    workgroupBarrier();
    sums = add_products(sums, thread);
  }
  return sums;
}

// Adds sum_{t <= j} G_jt k_t[d]
fn add_keys(before: Sums, place: Place, plane: u32, thread: u32) -> Sums {
  var sums = before;
  for (var start = 0u; start < min(place.row + TILE, place.steps); start += DEPTH) {
    let t_row = start + thread % DEPTH;
    var weight = vec4<f32>();
    for (var r = 0u; r < 4u; r++) {
      let j = place.row + 4u * (thread / DEPTH) + r;
      if (j < place.steps && t_row <= j) { weight[r] = scores[plane + (place.entry * params.L + j) * params.L + t_row]; }
    }
    let t = start + thread / DEPTH;
    var key = vec4<f32>();
    if (t < place.steps) {
      let k_start = at(params.k, place.b, place.head, place.first + t);
      for (var x = 0u; x < 4u; x++) {
        let d = place.column + 4u * (thread % DEPTH) + x;
        if (d < params.DHQK) { key[x] = k[k_start + d]; }
      }
    }
    workgroupBarrier();
    tile_a[along_x(thread)] = weight;
    tile_b[along_quads(thread)] = key;
    workgroupBarrier();
    sums = add_products(sums, thread);
  }
  return sums;
}

@compute @workgroup_size(THREADS)
fn mlstm_chunkwise_backward_queries(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                                   @builtin(local_invocation_index) thread: u32) {
  let chunks = (params.S + params.L - 1u) / params.L;
  let cells = params.B * params.NH;
  let row_tiles = (params.L + TILE - 1u) / TILE;
  let column_tiles = (params.DHQK + TILE - 1u) / TILE;
  let work = group.x + group.y * groups.x;
  var place: Place;
  place.entry = work / (row_tiles * column_tiles);
  if (place.entry >= cells * chunks) { return; }
  let cell = place.entry / chunks;
  place.b = cell / params.NH;
  place.head = cell % params.NH;
  place.first = (place.entry % chunks) * params.L;
  place.steps = min(params.L, params.S - place.first);
  place.row = (work / column_tiles) % row_tiles * TILE;
  place.column = work % column_tiles * TILE;
  place.row0 = cell * params.S + place.first;
  if (place.row >= place.steps) { return; }
  let plane = cells * params.S;

  var sums = through_state(place, thread);
  let d0 = place.column + 4u * (thread % 16u);
  let j0 = place.row + 4u * (thread / 16u);
  var n = vec4<f32>();
  for (var x = 0u; x < 4u; x++) {
    if (d0 + x < params.DHQK) { n[x] = entering[cells * chunks * params.DHQK * params.DHHV + place.entry * params.DHQK + d0 + x]; }
  }
  var inverse = vec4<f32>();
  var denominator = vec4<f32>();
  for (var r = 0u; r < 4u; r++) {
    if (j0 + r >= place.steps) { break; }
    let carried = rows[CARRIED * plane + place.row0 + j0 + r];
    inverse[r] = carried * rows[INVERSE * plane + place.row0 + j0 + r];
    denominator[r] = carried * rows[DENOMINATOR * plane + place.row0 + j0 + r];
  }
  sums.r0 = inverse.x * sums.r0 + denominator.x * n;
  sums.r1 = inverse.y * sums.r1 + denominator.y * n;
  sums.r2 = inverse.z * sums.r2 + denominator.z * n;
  sums.r3 = inverse.w * sums.r3 + denominator.w * n;
  let scale = inverseSqrt(f32(params.DHQK));
  // The columns' part of what comes through the state, summed over the 16 invocations of a row.
  var product = vec4<f32>();
  for (var r = 0u; r < 4u; r++) {
    if (j0 + r >= place.steps) { break; }
    let q_start = at(params.q, place.b, place.head, place.first + j0 + r);
    let value = scale * row_of(sums, r);
    for (var x = 0u; x < 4u; x++) {
      if (d0 + x < params.DHQK) { product[r] += q[q_start + d0 + x] * value[x]; }
    }
  }
  workgroupBarrier();
  for (var r = 0u; r < 4u; r++) { products[(4u * (thread / 16u) + r) * 17u + thread % 16u] = product[r]; }
  workgroupBarrier();
  if (thread < TILE && place.row + thread < place.steps) {
    var dot = 0.0;
    for (var x = 0u; x < 16u; x++) { dot += products[thread * 17u + x]; }
    arriving[(work % column_tiles) * plane + place.row0 + place.row + thread] = dot;
  }
  sums = add_keys(sums, place, cells * chunks * params.L * params.L, thread);

  for (var r = 0u; r < 4u; r++) {
    let j = j0 + r;
    if (j >= place.steps) { break; }
    let value = scale * row_of(sums, r);
    let out = at(params.gradient, place.b, place.head, place.first + j);
    for (var x = 0u; x < 4u; x++) {
      let d = d0 + x;
      if (d >= params.DHQK) { break; }
      var total = value[x];
      if (params.accumulate != 0u) { total += gradient[out + d]; }
      gradient[out + d] = total;
    }
  }
}
