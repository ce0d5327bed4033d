// What reaches the gates of one (b, head) through the stabiliser. With the true state exp(m) C held, h depends on m_j by
// eps alone (pull_j), and what follows the sequence by what dm is beyond <C, dC> + <n, dn>. Since m_j is i_j where a step
// starts it, and logf_j + m_(j-1) elsewhere,
//   M_j = pull_j + M_(j+1) (1 - starts_(j+1))
// goes to the input gate of step j where it starts, else to its forget gate and on. 256 steps at a time, from the last
// back: a sum that starting steps cut.

struct Params { B: u32, NH: u32, S: u32, DHQK: u32, DHHV: u32, L: u32, flux_tiles: u32, whole: u32, sigmoid: u32 }

@group(0) @binding(0) var<storage, read> rows: array<f32>;
@group(0) @binding(1) var<storage, read> flux: array<f32>;              // [flux_tiles, B, NH, NC + 1]
@group(0) @binding(2) var<storage, read_write> carry: array<f32>;       // C | n | m
@group(0) @binding(3) var<storage, read_write> shares: array<f32>;      // of the input gates | of the forget gates
@group(0) @binding(4) var<uniform> params: Params;

const THREADS = 256u;

var<workgroup> sums: array<f32, THREADS>;
var<workgroup> cuts: array<f32, THREADS>;        // 1 where nothing later reaches a step
var<workgroup> beyond: f32;                      // what reaches this slab from later steps

@compute @workgroup_size(THREADS)
fn mlstm_backward_stabilizer(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                             @builtin(local_invocation_index) thread: u32) {
  let cells = params.B * params.NH;
  let cell = group.x + group.y * groups.x;
  if (cell >= cells) { return; }
  let chunks = (params.S + params.L - 1u) / params.L;
  let plane = cells * params.S;
  let m_place = cells * params.DHQK * (params.DHHV + 1u) + cell;
  if (thread == 0u) {
    beyond = carry[m_place];
    if (params.whole != 0u) {
      for (var tile = 0u; tile < params.flux_tiles; tile++) { beyond -= flux[(tile * cells + cell) * (chunks + 1u) + chunks]; }
    }
    if (params.sigmoid != 0u) { beyond = 0.0; }
  }
  for (var back = 0u; back < params.S; back += THREADS) {
    // Invocation x takes step S - 1 - back - x.
    let inside = back + thread < params.S;
    let place = cell * params.S + params.S - 1u - min(back + thread, params.S - 1u);
    var pull = 0.0;
    var starts = 0.0;
    if (inside) {
      pull = rows[PULL * plane + place];
      starts = rows[STARTS * plane + place];
    }
    sums[thread] = pull;
    // A step is cut off where the one after it starts; the first of a slab has had that done.
    cuts[thread] = 0.0;
    if (inside && thread > 0u) { cuts[thread] = rows[STARTS * plane + place + 1u]; }
    for (var reach = 1u; reach < THREADS; reach *= 2u) {
      workgroupBarrier();
      var sum = sums[thread];
      var cut = cuts[thread];
      if (thread >= reach && cut == 0.0) {
        sum += sums[thread - reach];
        cut = cuts[thread - reach];
      }
      workgroupBarrier();
      sums[thread] = sum;
      cuts[thread] = cut;
    }
    workgroupBarrier();
    var total = sums[thread];
    if (cuts[thread] == 0.0) { total += beyond; }
    workgroupBarrier();
    if (inside) {
      shares[place] = select(0.0, total, starts != 0.0);
      shares[plane + place] = select(total, 0.0, starts != 0.0);
      if (thread == THREADS - 1u || back + thread + 1u == params.S) { beyond = select(total, 0.0, starts != 0.0); }
    }
    workgroupBarrier();
  }
  if (thread == 0u) { carry[m_place] = beyond; }
}
