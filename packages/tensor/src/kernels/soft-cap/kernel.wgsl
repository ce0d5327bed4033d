// y = cap * tanh(x / cap), one invocation an element; of y itself when there is no x.

struct Params { rows: u32, D: u32, xOffset: u32, xStride: u32, cap: f32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;       // rows of D at xStride, when HAS_X
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [rows, D]
@group(0) @binding(2) var<uniform> params: Params;

override HAS_X: u32 = 0;
const THREADS = 256u;

// Never overflows, and exact to float32 near zero, neither of which the built-in promises. NaN stays NaN.
fn stableTanh(a: f32) -> f32 {
  let magnitude = abs(a);
  if (magnitude < 0.25) {
    let s = a * a;
    return a * (1.0 + s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * (62.0 / 2835.0)))));
  }
  let e = exp(-2.0 * magnitude);
  return select(1.0, -1.0, a < 0.0) * (1.0 - e) / (1.0 + e);
}

@compute @workgroup_size(THREADS)
fn soft_cap(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) thread: u32) {
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  if (index >= params.rows * params.D) { return; }
  var value: f32;
  if (HAS_X != 0u) {
    value = x[params.xOffset + (index / params.D) * params.xStride + index % params.D];
  } else {
    value = y[index];
  }
  y[index] = params.cap * stableTanh(value / params.cap);
}
