// h of one chunk of L steps, for one (b, head); an invocation takes four columns of the chunk's state, without barriers:
// for software adapters. From the state (C, n, m) that the chunk was entered with it takes the steps one by one:
//   m' = max(logf + m, i);  C' = exp(logf + m - m') C + exp(i - m') k v^T;  n' alike with k
//   h  = C'^T q / (max(|n'^T q|, exp(-m')) + eps),  q scaled by 1/sqrt(DHQK)

struct Params {
  q: Layout, k: Layout, v: Layout, i: Layout, f: Layout, h: Layout, readout: Layout, readout_plane: u32,
  B: u32, NH: u32, S: u32, DHQK: u32, DHHV: u32, L: u32, sigmoid: u32, normalize: u32, eps: f32,
}

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> i: array<f32>;
@group(0) @binding(4) var<storage, read> f: array<f32>;
@group(0) @binding(5) var<storage, read> entering: array<f32>;  // C | n | m, each [B, NH, NC, ...]
@group(0) @binding(6) var<storage, read_write> h: array<f32>;
@group(0) @binding(7) var<storage, read_write> readout: array<f32>;  // m | denominator, when HAS_READOUT
@group(0) @binding(8) var<uniform> params: Params;

override HAS_READOUT: u32 = 0;

const THREADS = 4u;
const MOST_DHQK = 128u;

@compute @workgroup_size(THREADS)
fn mlstm_chunkwise_outputs(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                           @builtin(local_invocation_index) thread: u32) {
  // Neighbouring invocations have neighbouring columns, which a software adapter loads as one vector.
  let chunks = (params.S + params.L - 1u) / params.L;
  let tiles = (params.DHHV + 4u * THREADS - 1u) / (4u * THREADS);
  let work = group.x + group.y * groups.x;
  let cells = params.B * params.NH;
  let entry = work / tiles;
  if (entry >= cells * chunks) { return; }
  let b = entry / chunks / params.NH;
  let head = entry / chunks % params.NH;
  let start = entry % chunks * params.L;
  let first = (work % tiles) * 4u * THREADS + thread;
  let own = vec4(first, first + THREADS, first + 2u * THREADS, first + 3u * THREADS);
  // Columns past the end repeat the last one; they are not stored.
  let column = min(own, vec4(params.DHHV - 1u));
  let n_plane = cells * chunks * params.DHQK * params.DHHV;
  let scale = inverseSqrt(f32(params.DHQK));

  var c: array<vec4<f32>, MOST_DHQK>;
  var n: array<f32, MOST_DHQK>;
  for (var d = 0u; d < params.DHQK; d++) {
    let place = column + (entry * params.DHQK + d) * params.DHHV;
    c[d] = vec4(entering[place.x], entering[place.y], entering[place.z], entering[place.w]);
    n[d] = entering[n_plane + entry * params.DHQK + d];
  }
  var gates = initial_gates(entering[n_plane + cells * chunks * params.DHQK + entry], params.sigmoid);

  for (var t = start; t < min(start + params.L, params.S); t++) {
    gates = advance(gates, f[at(params.f, b, head, t)], i[at(params.i, b, head, t)], params.sigmoid);
    let q_start = at(params.q, b, head, t);
    let k_start = at(params.k, b, head, t);
    let v_start = at(params.v, b, head, t);
    let value = gates.input * vec4(v[v_start + column.x], v[v_start + column.y], v[v_start + column.z], v[v_start + column.w]);
    var numerator = vec4(0.0);
    var denominator = 0.0;
    for (var d = 0u; d < params.DHQK; d++) {
      let query = q[q_start + d];
      let key = k[k_start + d];
      let normalizer = gates.decay * n[d] + gates.input * key;
      n[d] = normalizer;
      denominator += normalizer * query;
      let next = gates.decay * c[d] + key * value;
      c[d] = next;
      numerator += query * next;
    }
    if (HAS_READOUT != 0u && first == 0u) {
      let place = at(params.readout, b, head, t);
      readout[place] = gates.m;
      readout[params.readout_plane + place] = denominator * scale;
    }
    let h_start = at(params.h, b, head, t);
    for (var e = 0u; e < 4u; e++) {
      if (own[e] < params.DHHV) {
        h[h_start + own[e]] = normalized(numerator[e] * scale, denominator * scale, gates.m, params.normalize, params.eps);
      }
    }
  }
}
