// The same as the plain form, an invocation taking one step and column, without barriers: for software adapters.

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

const THREADS = 4u;

@compute @workgroup_size(THREADS)
fn mlstm_chunkwise_backward_values(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                                   @builtin(local_invocation_index) thread: u32) {
  let chunks = (params.S + params.L - 1u) / params.L;
  let cells = params.B * params.NH;
  let work = group.x + group.y * groups.x;
  // Neighbouring invocations have neighbouring columns, which a software adapter loads as one vector.
  let tiles = (params.DHHV + THREADS - 1u) / THREADS;
  let row = work / tiles;
  let e = work % tiles * THREADS + thread;
  if (row >= cells * params.S || e >= params.DHHV) { return; }
  let cell = row / params.S;
  let b = cell / params.NH;
  let head = cell % params.NH;
  let t = row % params.S;
  let first = t / params.L * params.L;
  let entry = cell * chunks + first / params.L;
  let plane = cells * params.S;
  let k_start = at(params.k, b, head, t);
  var sum = 0.0;
  for (var d = 0u; d < params.DHQK; d++) { sum += k[k_start + d] * leaving[(entry * params.DHQK + d) * params.DHHV + e]; }
  sum *= rows[WEIGHT * plane + row];
  for (var j = t; j < min(first + params.L, params.S); j++) {
    let weight = scores[(entry * params.L + j - first) * params.L + t - first] * rows[INVERSE * plane + cell * params.S + j];
    sum += weight * dh[at(params.dh, b, head, j) + e];
  }
  let out = at(params.gradient, b, head, t) + e;
  if (params.accumulate != 0u) { sum += gradient[out]; }
  gradient[out] = sum;
}
