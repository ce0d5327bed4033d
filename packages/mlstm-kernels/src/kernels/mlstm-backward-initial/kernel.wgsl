// The gradient of the initial state: dC and dn as the pass over chunks left them, and dm, which with the true
// state held is what they left too; without, <C, dC> + <n, dn> is added, since the true state is exp(m) C. The sigmoid gate
// has no m. An invocation takes one element.

struct Params { B: u32, NH: u32, DHQK: u32, DHHV: u32, NC: u32, flux_tiles: u32, sigmoid: u32, accumulate: u32 }

@group(0) @binding(0) var<storage, read> carry: array<f32>;             // C | n | m
@group(0) @binding(1) var<storage, read> flux: array<f32>;              // [flux_tiles, B, NH, NC + 1]
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;    // C | n | m
@group(0) @binding(3) var<uniform> params: Params;

const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn mlstm_backward_initial(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                          @builtin(local_invocation_index) thread: u32) {
  let cells = params.B * params.NH;
  let m_plane = cells * params.DHQK * (params.DHHV + 1u);
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  if (index >= m_plane + cells) { return; }
  var value = 0.0;
  if (index < m_plane) {
    value = carry[index];
  } else if (params.sigmoid == 0u) {
    value = carry[index];
    for (var tile = 0u; tile < params.flux_tiles; tile++) {
      value += flux[(tile * cells + index - m_plane) * (params.NC + 1u)];
    }
  }
  if (params.accumulate != 0u) { value += gradient[index]; }
  gradient[index] = value;
}
