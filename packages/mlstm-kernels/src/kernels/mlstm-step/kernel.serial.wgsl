// S steps of the mLSTM recurrence for one (b, head); an invocation takes four columns of C [DHQK, DHHV], without barriers:
// for software adapters. For each step
//   m' = max(logf + m, i);  C' = exp(logf + m - m') C + exp(i - m') k v^T;  n' alike with k
//   h  = C'^T q / (max(|n'^T q|, exp(-m')) + eps),  q scaled by 1/sqrt(DHQK)
// Every invocation follows n and m itself; the last of a head to be done with those in `state` writes the new ones.

struct Params {
  q: Layout, k: Layout, v: Layout, i: Layout, f: Layout, h: Layout,
  B: u32, NH: u32, S: u32, DHQK: u32, DHHV: u32, sigmoid: u32, normalize: u32, eps: f32,
}

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> i: array<f32>;
@group(0) @binding(4) var<storage, read> f: array<f32>;
@group(0) @binding(5) var<storage, read_write> state: array<f32>;  // C | n | m
@group(0) @binding(6) var<storage, read_write> h: array<f32>;
@group(0) @binding(7) var<storage, read_write> arrivals: array<atomic<u32>>; // [B, NH], when HAS_ARRIVALS
@group(0) @binding(8) var<uniform> params: Params;

override HAS_ARRIVALS: u32 = 0;
const THREADS = 4u;
const MOST_DHQK = 128u;

@compute @workgroup_size(THREADS)
fn mlstm_step(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
              @builtin(local_invocation_index) thread: u32) {
  // Neighbouring invocations have neighbouring columns, which a software adapter loads as one vector.
  let tiles = (params.DHHV + 4u * THREADS - 1u) / (4u * THREADS);
  let work = group.x + group.y * groups.x;
  let cell = work / tiles;
  if (cell >= params.B * params.NH) { return; }
  let b = cell / params.NH;
  let head = cell % params.NH;
  let first = (work % tiles) * 4u * THREADS + thread;
  let own = vec4(first, first + THREADS, first + 2u * THREADS, first + 3u * THREADS);
  // Columns past the end repeat the last one; they are not stored.
  let column = min(own, vec4(params.DHHV - 1u));
  let n_plane = params.B * params.NH * params.DHQK * params.DHHV;
  let n_start = n_plane + cell * params.DHQK;
  let scale = inverseSqrt(f32(params.DHQK));
  var gates = initial_gates(state[n_plane + params.B * params.NH * params.DHQK + cell], params.sigmoid);
  var n: array<f32, MOST_DHQK>;

  for (var s = 0u; s < params.S; s++) {
    gates = advance(gates, f[at(params.f, b, head, s)], i[at(params.i, b, head, s)], params.sigmoid);
    let q_start = at(params.q, b, head, s);
    let k_start = at(params.k, b, head, s);
    let v_start = at(params.v, b, head, s);
    let value = gates.input * vec4(v[v_start + column.x], v[v_start + column.y], v[v_start + column.z], v[v_start + column.w]);

    var numerator = vec4(0.0);
    var denominator = 0.0;
    for (var d = 0u; d < params.DHQK; d++) {
      let query = q[q_start + d];
      let key = k[k_start + d];
      var normalizer = 0.0;
      if (s == 0u) { normalizer = state[n_start + d]; } else { normalizer = n[d]; }
      normalizer = gates.decay * normalizer + gates.input * key;
      n[d] = normalizer;
      denominator += normalizer * query;
      let place = column + (cell * params.DHQK + d) * params.DHHV;
      let next = gates.decay * vec4(state[place.x], state[place.y], state[place.z], state[place.w]) + key * value;
      numerator += query * next;
      if (own.x < params.DHHV) { state[place.x] = next.x; }
      if (own.y < params.DHHV) { state[place.y] = next.y; }
      if (own.z < params.DHHV) { state[place.z] = next.z; }
      if (own.w < params.DHHV) { state[place.w] = next.w; }
    }
    let h_start = at(params.h, b, head, s);
    for (var c = 0u; c < 4u; c++) {
      if (own[c] < params.DHHV) {
        h[h_start + own[c]] =
          normalized(numerator[c] * scale, denominator * scale, gates.m, params.normalize, params.eps);
      }
    }
  }
  if (HAS_ARRIVALS != 0u && atomicAdd(&arrivals[cell], 1u) == tiles * THREADS - 1u) {
    for (var d = 0u; d < params.DHQK; d++) { state[n_start + d] = n[d]; }
    state[n_plane + params.B * params.NH * params.DHQK + cell] = gates.m;
    atomicStore(&arrivals[cell], 0u);
  }
}
