// AdamW, one invocation an element, with g = gradient * norm[1]:
//   m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2,
//   p = p (1 - lr decay) - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps).

struct Params { length: u32, beta1: f32, beta2: f32, gain1: f32, gain2: f32, eps: f32, weightDecay: f32 }

@group(0) @binding(0) var<storage, read_write> parameter: array<f32>; // [length]
@group(0) @binding(1) var<storage, read> gradient: array<f32>;        // [length]
@group(0) @binding(2) var<storage, read_write> first: array<f32>;     // [length], m
@group(0) @binding(3) var<storage, read_write> second: array<f32>;    // [length], v
@group(0) @binding(4) var<storage, read> hyper: array<f32>;           // [4]: lr, 1/(1-beta1^t), 1/(1-beta2^t), -
@group(0) @binding(5) var<storage, read> norm: array<u32>;            // [2], bits of f32: -, the gradients' scale
@group(0) @binding(6) var<uniform> params: Params;

const THREADS = 256u;
const INFINITY = 0x7f800000u;

@compute @workgroup_size(THREADS)
fn adamw(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
         @builtin(local_invocation_index) thread: u32) {
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  // A norm that is not finite leaves everything as it was.
  if (index >= params.length || (norm[1] & INFINITY) == INFINITY) { return; }
  let g = gradient[index] * bitcast<f32>(norm[1]);
  let m = params.beta1 * first[index] + params.gain1 * g;
  let v = params.beta2 * second[index] + params.gain2 * g * g;
  first[index] = m;
  second[index] = v;
  let lr = hyper[0];
  let step = m * hyper[1] / (sqrt(v * hyper[2]) + params.eps);
  parameter[index] = parameter[index] * (1.0 - lr * params.weightDecay) - lr * step;
}
