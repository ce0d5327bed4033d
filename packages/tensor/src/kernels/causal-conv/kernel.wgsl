// y[b, t, d] = bias[d] + sum over k of weight[d, k] * u[b, t - (K - 1) + k, d]; u is x, before time 0 the state. An
// invocation takes TIMES times of a column and keeps the last K inputs.

struct Params { B: u32, S: u32, D: u32, K: u32, xOffset: u32, xStride: u32, inPlace: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;               // B * S rows of D at xStride
@group(0) @binding(1) var<storage, read> weight: array<f32>;          // [D, 1, K]
@group(0) @binding(2) var<storage, read> bias: array<f32>;            // [D], when HAS_BIAS
@group(0) @binding(3) var<storage, read> state: array<f32>;           // [B, K - 1, D], when HAS_STATE
@group(0) @binding(4) var<storage, read_write> y: array<f32>;         // [B, S, D]
@group(0) @binding(5) var<storage, read_write> nextState: array<f32>; // [B, K - 1, D], when HAS_NEXT
@group(0) @binding(6) var<uniform> params: Params;

override HAS_BIAS: u32 = 0;
override HAS_STATE: u32 = 0;
override HAS_NEXT: u32 = 0;
override IN_PLACE: u32 = 0; // nextState is also the state
override K: u32 = 4;
const TIMES = 32u;
const MAX_TAPS = 8;
const THREADS = 64u;

// u of a time before the piece: negative times are in the state.
fn earlier(b: u32, time: i32, d: u32) -> f32 {
  if (time >= 0) { return x[params.xOffset + (b * params.S + u32(time)) * params.xStride + d]; }
  let at = (b * (K - 1u) + u32(time + i32(K) - 1)) * params.D + d;
  if (IN_PLACE != 0u) { return nextState[at]; }
  if (HAS_STATE != 0u) { return state[at]; }
  return 0.0;
}

@compute @workgroup_size(THREADS)
fn causal_conv(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) thread: u32) {
  let blocks = (params.D + THREADS - 1u) / THREADS;
  let pieces = (params.S + TIMES - 1u) / TIMES;
  let index = group.x + group.y * groups.x;
  let d = (index % blocks) * THREADS + thread;
  let piece = (index / blocks) % pieces;
  let b = index / (blocks * pieces);
  if (d >= params.D || b >= params.B) { return; }
  let first = piece * TIMES;
  let end = min(params.S, first + TIMES);

  var taps: array<f32, MAX_TAPS>;
  var window: array<f32, MAX_TAPS>;
  for (var k = 0u; k < K; k++) { taps[k] = weight[d * K + k]; }
  for (var k = 0u; k + 1u < K; k++) { window[k] = earlier(b, i32(first) + i32(k) - (i32(K) - 1), d); }
  var start = 0.0;
  if (HAS_BIAS != 0u) { start = bias[d]; }

  for (var t = first; t < end; t++) {
    let row = b * params.S + t;
    window[K - 1u] = x[params.xOffset + row * params.xStride + d];
    var sum = start;
    for (var k = 0u; k < K; k++) { sum += taps[k] * window[k]; }
    y[row * params.D + d] = sum;
    for (var k = 0u; k + 1u < K; k++) { window[k] = window[k + 1u]; }
  }
  if (HAS_NEXT != 0u && end == params.S) {
    for (var k = 0u; k + 1u < K; k++) { nextState[(b * (K - 1u) + k) * params.D + d] = window[k]; }
  }
}
