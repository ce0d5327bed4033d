// du[time] = sum over k of weight[k] * dy[time + K - 1 - k], plus dnextState where time is among the last K - 1; dx gets
// times from 0 on, dstate those before. An invocation takes TIMES times of a column and keeps the last K of dy.

struct Params {
  B: u32, S: u32, D: u32, K: u32, dxOffset: u32, dxStride: u32, accumulateX: u32, accumulateState: u32,
}

@group(0) @binding(0) var<storage, read> weight: array<f32>;       // [D, 1, K]
@group(0) @binding(1) var<storage, read> dy: array<f32>;           // [B, S, D]
@group(0) @binding(2) var<storage, read> dnextState: array<f32>;   // [B, K - 1, D], when HAS_DNEXT
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;     // B * S rows of D at dxStride, when HAS_DX
@group(0) @binding(4) var<storage, read_write> dstate: array<f32>; // [B, K - 1, D], when HAS_DSTATE
@group(0) @binding(5) var<uniform> params: Params;

override HAS_DNEXT: u32 = 0;
override HAS_DX: u32 = 0;
override HAS_DSTATE: u32 = 0;
override K: u32 = 4;
const TIMES = 32u;
const MAX_TAPS = 8;
const THREADS = 64u;

fn gradientAt(b: u32, time: i32, d: u32) -> f32 {
  if (time < 0 || time >= i32(params.S)) { return 0.0; }
  return dy[(b * params.S + u32(time)) * params.D + d];
}

@compute @workgroup_size(THREADS)
fn causal_conv_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                        @builtin(local_invocation_index) thread: u32) {
  // Times before 0 count where the state's gradient is wanted.
  let lead = select(0u, K - 1u, HAS_DSTATE != 0u);
  let blocks = (params.D + THREADS - 1u) / THREADS;
  let pieces = (params.S + lead + TIMES - 1u) / TIMES;
  let index = group.x + group.y * groups.x;
  let d = (index % blocks) * THREADS + thread;
  let piece = (index / blocks) % pieces;
  let b = index / (blocks * pieces);
  if (d >= params.D || b >= params.B) { return; }
  let first = i32(piece * TIMES) - i32(lead);
  let end = min(i32(params.S), first + i32(TIMES));
  let last = i32(K) - 1;

  var taps: array<f32, MAX_TAPS>;
  var window: array<f32, MAX_TAPS>; // dy from this time on
  for (var k = 0u; k < K; k++) { taps[k] = weight[d * K + k]; }
  for (var k = 0u; k + 1u < K; k++) { window[k] = gradientAt(b, first + i32(k), d); }

  for (var time = first; time < end; time++) {
    window[K - 1u] = gradientAt(b, time + last, d);
    var value = 0.0;
    for (var k = 0u; k < K; k++) { value += taps[K - 1u - k] * window[k]; }
    for (var k = 0u; k + 1u < K; k++) { window[k] = window[k + 1u]; }
    let place = time - (i32(params.S) - last);
    if (HAS_DNEXT != 0u && place >= 0) { value += dnextState[(b * (K - 1u) + u32(place)) * params.D + d]; }
    if (time < 0) {
      let at = (b * (K - 1u) + u32(time + last)) * params.D + d;
      if (params.accumulateState != 0u) { value += dstate[at]; }
      dstate[at] = value;
    } else if (HAS_DX != 0u) {
      let at = params.dxOffset + (b * params.S + u32(time)) * params.dxStride + d;
      if (params.accumulateX != 0u) { value += dx[at]; }
      dx[at] = value;
    }
  }
}
