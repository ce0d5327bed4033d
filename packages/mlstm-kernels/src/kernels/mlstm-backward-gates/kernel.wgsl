// The gradient of one gate's pre-activations over one chunk of one (b, head):
//   input gate:   di_t = k_t^T dk_t, with the sigmoid gate times 1 - sigmoid(i_t)
//   forget gate:  df_t = (flux + sum_{s >= t} (q_s^T dq_s - k_s^T dk_s)) sigmoid(-f_t), s in the chunk
// q_s^T dq_s and k_s^T dk_s are taken without what a step sends to itself, which is the most of them where gates close:
// they are sums of what passes between steps, and of what comes from and goes to the states at the chunk's edges.
// Each with its share of what comes through the stabiliser added before the last factor; flux is what passes from the chunk and all before it to later ones. Steps are taken 256 at a time, from the last back.

struct Params {
  gate: Layout, gradient: Layout,
  B: u32, NH: u32, S: u32, L: u32, tiles: u32, flux_tiles: u32, forget: u32, sigmoid: u32, accumulate: u32,
}

@group(0) @binding(0) var<storage, read> gate: array<f32>;
@group(0) @binding(1) var<storage, read> flows: array<f32>;             // reaching j | sent by t, each [T, B, NH, S] | F_tt
@group(0) @binding(2) var<storage, read> arriving: array<f32>;          // [tiles, B, NH, S]
@group(0) @binding(3) var<storage, read> departing: array<f32>;
@group(0) @binding(4) var<storage, read> flux: array<f32>;              // [flux_tiles, B, NH, NC + 1]
@group(0) @binding(5) var<storage, read> shares: array<f32>;            // of the input gates | of the forget gates
@group(0) @binding(6) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;

const THREADS = 256u;
const TILE = 64u;

var<workgroup> sums: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn mlstm_backward_gates(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                        @builtin(local_invocation_index) thread: u32) {
  let chunks = (params.S + params.L - 1u) / params.L;
  let cells = params.B * params.NH;
  let entry = group.x + group.y * groups.x;
  if (entry >= cells * chunks) { return; }
  let cell = entry / chunks;
  let chunk = entry % chunks;
  let first = chunk * params.L;
  let steps = min(params.L, params.S - first);

  let step_tiles = (params.L + TILE - 1u) / TILE;
  var after = 0.0;
  if (params.forget != 0u) {
    for (var tile = 0u; tile < params.flux_tiles; tile++) { after += flux[(tile * cells + cell) * (chunks + 1u) + chunk + 1u]; }
  }
  for (var back = 0u; back < steps; back += THREADS) {
    // Invocation x takes step steps - 1 - back - x.
    let inside = back + thread < steps;
    let t = first + steps - 1u - min(back + thread, steps - 1u);
    var queries = 0.0;
    var keys = 0.0;
    if (inside) {
      for (var tile = 0u; tile < params.tiles; tile++) {
        let row = (tile * cells + cell) * params.S + t;
        queries += arriving[row];
        keys += departing[row];
      }
      let own = (t - first) / TILE;
      for (var tile = 0u; tile <= own; tile++) { queries += flows[(tile * cells + cell) * params.S + t]; }
      for (var tile = own; tile < (steps + TILE - 1u) / TILE; tile++) {
        keys += flows[((step_tiles + tile) * cells + cell) * params.S + t];
      }
    }
    var log_gradient = keys;
    if (params.forget == 0u && inside) { log_gradient += flows[(2u * step_tiles * cells + cell) * params.S + t]; }
    if (params.forget != 0u) {
      sums[thread] = queries - keys;
      for (var reach = 1u; reach < THREADS; reach *= 2u) {
        workgroupBarrier();
        var sum = sums[thread];
        if (thread >= reach) { sum += sums[thread - reach]; }
        workgroupBarrier();
        sums[thread] = sum;
      }
      workgroupBarrier();
      log_gradient = after + sums[thread];
      after += sums[THREADS - 1u];
      workgroupBarrier();
    }
    if (inside) {
      let b = cell / params.NH;
      let head = cell % params.NH;
      var value = log_gradient + shares[(params.forget * cells + cell) * params.S + t];
      if (params.forget != 0u || params.sigmoid != 0u) {
        value *= 1.0 / (1.0 + exp(bounded(gate[at(params.gate, b, head, t)])));
      }
      let out = at(params.gradient, b, head, t);
      if (params.accumulate != 0u) { value += gradient[out]; }
      gradient[out] = value;
    }
  }
}
