// partials[part] = sums over the part's rows (b, t) of dy * u[t - (K - 1) + k] for each k, and of dy; u is x, before time 0
// the state. An invocation takes a column of a part and keeps the last K inputs.

struct Params { B: u32, S: u32, D: u32, K: u32, chunk: u32, xOffset: u32, xStride: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;              // B * S rows of D at xStride
@group(0) @binding(1) var<storage, read> state: array<f32>;          // [B, K - 1, D], when HAS_STATE
@group(0) @binding(2) var<storage, read> dy: array<f32>;             // [B, S, D]
@group(0) @binding(3) var<storage, read_write> partials: array<f32>; // [parts, D * K + D]
@group(0) @binding(4) var<uniform> params: Params;

override HAS_STATE: u32 = 0;
override K: u32 = 4;
const MAX_TAPS = 8;
const THREADS = 64u;

// u of a time before the row's; negative times are in the state.
fn earlier(b: u32, time: i32, d: u32) -> f32 {
  if (time >= 0) { return x[params.xOffset + (b * params.S + u32(time)) * params.xStride + d]; }
  if (HAS_STATE != 0u) { return state[(b * (K - 1u) + u32(time + i32(K) - 1)) * params.D + d]; }
  return 0.0;
}

@compute @workgroup_size(THREADS)
fn causal_conv_weight_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                               @builtin(local_invocation_index) thread: u32) {
  let blocks = (params.D + THREADS - 1u) / THREADS;
  let index = group.x + group.y * groups.x;
  let part = index / blocks;
  let d = (index % blocks) * THREADS + thread;
  let rows = params.B * params.S;
  let first = part * params.chunk;
  if (d >= params.D || first >= rows) { return; }

  var window: array<f32, MAX_TAPS>;
  var sums: array<f32, MAX_TAPS>;
  var biasSum = 0.0;
  for (var row = first; row < min(rows, first + params.chunk); row++) {
    let t = row % params.S;
    if (row == first || t == 0u) {
      for (var k = 0u; k + 1u < K; k++) { window[k] = earlier(row / params.S, i32(t) + i32(k) - (i32(K) - 1), d); }
    }
    window[K - 1u] = x[params.xOffset + row * params.xStride + d];
    let gradient = dy[row * params.D + d];
    for (var k = 0u; k < K; k++) { sums[k] += gradient * window[k]; }
    biasSum += gradient;
    for (var k = 0u; k + 1u < K; k++) { window[k] = window[k + 1u]; }
  }
  let start = part * params.D * (K + 1u);
  for (var k = 0u; k < K; k++) { partials[start + d * K + k] = sums[k]; }
  partials[start + params.D * K + d] = biasSum;
}
