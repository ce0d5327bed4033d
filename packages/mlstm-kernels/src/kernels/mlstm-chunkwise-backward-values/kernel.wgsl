// dv of 64 steps t of a chunk and 64 of the DHHV columns, for one (b, head):
//   dv_t = weight_t dC'^T k_t + sum_{j >= t} S_jt dh_j / N_j
// with dC' the gradient of the state that the chunk leaves.

struct Params {
  k: Layout, dh: Layout, gradient: Layout, B: u32, NH: u32, S: u32, DHQK: u32, DHHV: u32, L: u32, accumulate: u32,
}

@group(0) @binding(0) var<storage, read> k: array<f32>;
@group(0) @binding(1) var<storage, read> dh: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<f32>;
@group(0) @binding(3) var<storage, read> leaving: array<f32>;           // dC | dn, each [B, NH, NC, ...]
@group(0) @binding(4) var<storage, read> scores: array<f32>;            // S | G, each [B, NH, NC, L, L]
@group(0) @binding(5) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

// Where a workgroup is: its chunk's first step in the sequence, its tile's first step in the chunk and first column.
struct Place { b: u32, head: u32, first: u32, steps: u32, row: u32, column: u32, entry: u32, row0: u32 }

// sum_d k_t[d] dC'[d, e]
fn through_state(place: Place, thread: u32) -> Sums {
  var sums: Sums;
  for (var start = 0u; start < params.DHQK; start += DEPTH) {
    let d_row = start + thread % DEPTH;
    var key = vec4<f32>();
    for (var r = 0u; r < 4u; r++) {
      let t = place.row + 4u * (thread / DEPTH) + r;
      if (d_row < params.DHQK && t < place.steps) { key[r] = k[at(params.k, place.b, place.head, place.first + t) + d_row]; }
    }
    let d = start + thread / DEPTH;
    var c = vec4<f32>();
    for (var x = 0u; x < 4u; x++) {
      let e = place.column + 4u * (thread % DEPTH) + x;
      if (d < params.DHQK && e < params.DHHV) { c[x] = leaving[(place.entry * params.DHQK + d) * params.DHHV + e]; }
    }
    workgroupBarrier();
    tile_a[along_x(thread)] = key;
    tile_b[along_quads(thread)] = c;
    workgroupBarrier();
    sums = add_products(sums, thread);
  }
  return sums;
}

// Adds sum_{j >= t} S_jt dh_j[e] / N_j
fn add_gradients(before: Sums, place: Place, plane: u32, thread: u32) -> Sums {
  var sums = before;
  for (var start = place.row; start < place.steps; start += DEPTH) {
    let j = start + thread / DEPTH;
    var weight = vec4<f32>();
    var delta = vec4<f32>();
    if (j < place.steps) {
      let dh_start = at(params.dh, place.b, place.head, place.first + j);
      for (var x = 0u; x < 4u; x++) {
        let t = place.row + 4u * (thread % DEPTH) + x;
        let e = place.column + 4u * (thread % DEPTH) + x;
        if (t <= j) { weight[x] = scores[(place.entry * params.L + j) * params.L + t]; }
        if (e < params.DHHV) { delta[x] = dh[dh_start + e]; }
      }
      delta *= rows[INVERSE * plane + place.row0 + j];
    }
    workgroupBarrier();
    tile_a[along_quads(thread)] = weight;
    tile_b[along_quads(thread)] = delta;
    workgroupBarrier();
    sums = add_products(sums, thread);
  }
  return sums;
}

@compute @workgroup_size(THREADS)
fn mlstm_chunkwise_backward_values(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                                   @builtin(local_invocation_index) thread: u32) {
  let chunks = (params.S + params.L - 1u) / params.L;
  let cells = params.B * params.NH;
  let row_tiles = (params.L + TILE - 1u) / TILE;
  let column_tiles = (params.DHHV + TILE - 1u) / TILE;
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
  let t0 = place.row + 4u * (thread / 16u);
  var weight = vec4<f32>();
  for (var r = 0u; r < 4u; r++) {
    if (t0 + r < place.steps) { weight[r] = rows[WEIGHT * plane + place.row0 + t0 + r]; }
  }
  sums.r0 *= weight.x;
  sums.r1 *= weight.y;
  sums.r2 *= weight.z;
  sums.r3 *= weight.w;
  sums = add_gradients(sums, place, plane, thread);

  for (var r = 0u; r < 4u; r++) {
    let t = t0 + r;
    if (t >= place.steps) { return; }
    let value = row_of(sums, r);
    let out = at(params.gradient, place.b, place.head, place.first + t);
    for (var x = 0u; x < 4u; x++) {
      let e = place.column + 4u * (thread % 16u) + x;
      if (e >= params.DHHV) { break; }
      var total = value[x];
      if (params.accumulate != 0u) { total += gradient[out + e]; }
      gradient[out + e] = total;
    }
  }
}
