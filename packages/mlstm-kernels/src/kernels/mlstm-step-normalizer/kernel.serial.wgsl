// Advances n [B, NH, DHQK] and m [B, NH] of the state by S steps, an invocation a (b, head), without barriers: for
// software adapters. For each step
//   m' = max(logf + m, i);  n' = exp(logf + m - m') n + exp(i - m') k

struct Params {
  k: Layout, i: Layout, f: Layout,
  B: u32, NH: u32, S: u32, DHQK: u32, DHHV: u32, sigmoid: u32,
}

@group(0) @binding(0) var<storage, read> k: array<f32>;
@group(0) @binding(1) var<storage, read> i: array<f32>;
@group(0) @binding(2) var<storage, read> f: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<f32>;  // C | n | m
@group(0) @binding(4) var<uniform> params: Params;

const THREADS = 4u;

@compute @workgroup_size(THREADS)
fn mlstm_step_normalizer(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                         @builtin(local_invocation_index) thread: u32) {
  let cell = (group.x + group.y * groups.x) * THREADS + thread;
  if (cell >= params.B * params.NH) { return; }
  let b = cell / params.NH;
  let head = cell % params.NH;
  let n_plane = params.B * params.NH * params.DHQK * params.DHHV;
  let n_start = n_plane + cell * params.DHQK;
  let m_place = n_plane + params.B * params.NH * params.DHQK + cell;
  var gates = initial_gates(state[m_place], params.sigmoid);
  for (var s = 0u; s < params.S; s++) {
    gates = advance(gates, f[at(params.f, b, head, s)], i[at(params.i, b, head, s)], params.sigmoid);
    let k_start = at(params.k, b, head, s);
    for (var d = 0u; d < params.DHQK; d++) {
      state[n_start + d] = gates.decay * state[n_start + d] + gates.input * k[k_start + d];
    }
  }
  state[m_place] = gates.m;
}
