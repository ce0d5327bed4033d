// Advances n [B, NH, DHQK] and m [B, NH] of the state by S steps, one workgroup a (b, head); for each step
//   m' = max(logf + m, i);  n' = exp(logf + m - m') n + exp(i - m') k
// A launch of its own after mlstm_step, because there every workgroup of a head reads the old n and m.

struct Params {
  k: Layout, i: Layout, f: Layout,
  B: u32, NH: u32, S: u32, DHQK: u32, DHHV: u32, sigmoid: u32,
}

@group(0) @binding(0) var<storage, read> k: array<f32>;
@group(0) @binding(1) var<storage, read> i: array<f32>;
@group(0) @binding(2) var<storage, read> f: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<f32>;  // C | n | m
@group(0) @binding(4) var<uniform> params: Params;

const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn mlstm_step_normalizer(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                         @builtin(local_invocation_index) thread: u32) {
  let cell = group.x + group.y * groups.x;
  if (cell >= params.B * params.NH) { return; }
  let b = cell / params.NH;
  let head = cell % params.NH;
  let n_plane = params.B * params.NH * params.DHQK * params.DHHV;
  let n_start = n_plane + cell * params.DHQK;
  let m_place = n_plane + params.B * params.NH * params.DHQK + cell;
  var m_initial = state[m_place];
  if (params.sigmoid != 0u) { m_initial = 0.0; }
  var m = m_initial;
  // Every invocation follows m itself; the outer loop runs at least once for each, whatever DHQK is.
  for (var start = 0u; start < params.DHQK; start += THREADS) {
    let d = start + thread;
    var n = 0.0;
    if (d < params.DHQK) { n = state[n_start + d]; }
    m = m_initial;
    for (var s = 0u; s < params.S; s++) {
      let log_forget = log_forget_gate(f[at(params.f, b, head, s)]);
      let log_input = log_input_gate(i[at(params.i, b, head, s)], params.sigmoid);
      let entering = m;
      if (params.sigmoid == 0u) { m = larger(log_forget + m, log_input); }
      if (d < params.DHQK) {
        n = exp(log_forget + entering - m) * n + exp(log_input - m) * k[at(params.k, b, head, s) + d];
      }
    }
    if (d < params.DHQK) { state[n_start + d] = n; }
  }
  // All have read m before one writes it.
  workgroupBarrier();
  if (thread == 0u) { state[m_place] = m; }
}
