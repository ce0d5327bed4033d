// The same as the plain form, an invocation taking a tile of dC, which stays in `carry`, without barriers: for software
// adapters.

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

const THREADS = 4u;
const TILE = 64u;

@compute @workgroup_size(THREADS)
fn mlstm_chunkwise_backward_states(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                                   @builtin(local_invocation_index) thread: u32) {
  let chunks = (params.S + params.L - 1u) / params.L;
  let cells = params.B * params.NH;
  let work = group.x + group.y * groups.x;
  let row_tiles = (params.DHQK + TILE - 1u) / TILE;
  let column_tiles = (params.DHHV + TILE - 1u) / TILE;
  let tiles = row_tiles * column_tiles;
  let index = work * THREADS + thread;
  let cell = index / tiles;
  if (cell >= cells) { return; }
  let b = cell / params.NH;
  let head = cell % params.NH;
  let tile = index % tiles;
  let rows_start = (tile / column_tiles) * TILE;
  let columns_start = (tile % column_tiles) * TILE;
  let rows_end = min(rows_start + TILE, params.DHQK);
  let columns_end = min(columns_start + TILE, params.DHHV);
  let plane = cells * params.S;
  let n_plane = cells * params.DHQK * params.DHHV;
  let scale = inverseSqrt(f32(params.DHQK));

  for (var back = 0u; back < chunks; back++) {
    let chunk = chunks - 1u - back;
    let entry = cell * chunks + chunk;
    let decay = rows[DECAY * plane + entry];
    var passing = 0.0;
    for (var d = rows_start; d < rows_end; d++) {
      let own = cell * params.DHQK + d;
      let out = entry * params.DHQK + d;
      for (var e = columns_start; e < columns_end; e++) {
        let gradient = carry[own * params.DHHV + e];
        leaving[out * params.DHHV + e] = gradient;
        passing += gradient * state_at(back, own * params.DHHV + e, (out + params.DHQK) * params.DHHV + e);
        carry[own * params.DHHV + e] = decay * gradient;
      }
      if (columns_start == 0u) {
        let gradient = carry[n_plane + own];
        leaving[n_plane * chunks + out] = gradient;
        passing += gradient * state_at(back, n_plane + own, n_plane * chunks + out + params.DHQK);
        carry[n_plane + own] = decay * gradient;
      }
    }
    flux[(tile * cells + cell) * (chunks + 1u) + chunk + 1u] = passing;
    for (var j = chunk * params.L; j < min((chunk + 1u) * params.L, params.S); j++) {
      let row = cell * params.S + j;
      let carried = scale * rows[CARRIED * plane + row];
      let q_start = at(params.q, b, head, j);
      let dh_start = at(params.dh, b, head, j);
      for (var d = rows_start; d < rows_end; d++) {
        let query = carried * q[q_start + d];
        let own = cell * params.DHQK + d;
        let delta = query * rows[INVERSE * plane + row];
        for (var e = columns_start; e < columns_end; e++) { carry[own * params.DHHV + e] += delta * dh[dh_start + e]; }
        if (columns_start == 0u) { carry[n_plane + own] += query * rows[DENOMINATOR * plane + row]; }
      }
    }
  }

  var passing = 0.0;
  for (var d = rows_start; d < rows_end; d++) {
    let own = cell * params.DHQK + d;
    let first = cell * chunks * params.DHQK + d;
    for (var e = columns_start; e < columns_end; e++) {
      passing += carry[own * params.DHHV + e] * entering[first * params.DHHV + e];
    }
    if (columns_start == 0u) { passing += carry[n_plane + own] * entering[n_plane * chunks + first]; }
  }
  flux[(tile * cells + cell) * (chunks + 1u)] = passing;
}

// An element of the state after a chunk: the last one, or that which the next chunk is entered with.
fn state_at(back: u32, in_last: u32, in_entering: u32) -> f32 {
  if (back == 0u) { return last[in_last]; }
  return entering[in_entering];
}
