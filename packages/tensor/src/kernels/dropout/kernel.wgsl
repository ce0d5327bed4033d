// y (+)= x * scale where the element's random word is at least threshold, else 0; an invocation takes four elements. Compiled
// with philox.wgsl.

struct Params {
  rows: u32, D: u32, xOffset: u32, xStride: u32, yOffset: u32, yStride: u32,
  stream: u32, threshold: u32, scale: f32, accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;       // rows of D at xStride
@group(0) @binding(1) var<storage, read> seed: array<u32>;    // [2]: seed, step
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // rows of D at yStride
@group(0) @binding(3) var<uniform> params: Params;

const THREADS = 64u;
const COUNTER_TAG = 0x64726f70u;

@compute @workgroup_size(THREADS)
fn dropout(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
           @builtin(local_invocation_index) thread: u32) {
  let four = (group.x + group.y * groups.x) * THREADS + thread;
  let first = 4u * four;
  let count = params.rows * params.D;
  if (first >= count) { return; }
  let words = philox(vec4<u32>(four, 0u, params.stream, COUNTER_TAG), vec2<u32>(seed[0], seed[1]));
  for (var place = 0u; place < min(4u, count - first); place++) {
    let row = (first + place) / params.D;
    let d = (first + place) % params.D;
    var value = 0.0;
    if (words[place] >= params.threshold) {
      value = x[params.xOffset + row * params.xStride + d] * params.scale;
    }
    let at = params.yOffset + row * params.yStride + d;
    if (params.accumulate != 0u) { value += y[at]; }
    y[at] = value;
  }
}
