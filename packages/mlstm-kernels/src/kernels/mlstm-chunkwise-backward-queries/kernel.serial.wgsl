// The same as the plain form, an invocation taking one step and 64 columns, without barriers: for software adapters.

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

const THREADS = 4u;
const TILE = 64u;

@compute @workgroup_size(THREADS)
fn mlstm_chunkwise_backward_queries(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                                    @builtin(local_invocation_index) thread: u32) {
  let chunks = (params.S + params.L - 1u) / params.L;
  let cells = params.B * params.NH;
  let work = group.x + group.y * groups.x;
  let column_tiles = (params.DHQK + TILE - 1u) / TILE;
  let index = work * THREADS + thread;
  let row = index / column_tiles;
  if (row >= cells * params.S) { return; }
  let cell = row / params.S;
  let b = cell / params.NH;
  let head = cell % params.NH;
  let j = row % params.S;
  let first = j / params.L * params.L;
  let entry = cell * chunks + first / params.L;
  let tile = index % column_tiles;
  let plane = cells * params.S;
  let n_plane = cells * chunks * params.DHQK * params.DHHV;
  let gradient_plane = cells * chunks * params.L * params.L;
  let scale = inverseSqrt(f32(params.DHQK));
  let q_start = at(params.q, b, head, j);
  let dh_start = at(params.dh, b, head, j);
  let out = at(params.gradient, b, head, j);
  let carried = rows[CARRIED * plane + row];
  let inverse = carried * rows[INVERSE * plane + row];
  let denominator = carried * rows[DENOMINATOR * plane + row];
  var dot = 0.0;
  for (var d = tile * TILE; d < min((tile + 1u) * TILE, params.DHQK); d++) {
    var sum = 0.0;
    let c = (entry * params.DHQK + d) * params.DHHV;
    for (var e = 0u; e < params.DHHV; e++) { sum += entering[c + e] * dh[dh_start + e]; }
    sum = inverse * sum + denominator * entering[n_plane + entry * params.DHQK + d];
    dot += q[q_start + d] * sum;
    for (var t = first; t <= j; t++) {
      sum += scores[gradient_plane + (entry * params.L + j - first) * params.L + t - first] * k[at(params.k, b, head, t) + d];
    }
    sum *= scale;
    if (params.accumulate != 0u) { sum += gradient[out + d]; }
    gradient[out + d] = sum;
  }
  arriving[tile * plane + row] = scale * dot;
}
