// target[b, s, gate, head, d] (+)= sum over planes of source [planes, B, S, G, NH, DH].

struct Params {
  target_place: Layout,
  target_gate: u32, B: u32, S: u32, G: u32, NH: u32, DH: u32,
  offset: u32, planes: u32, stride: u32, accumulate: u32,
}

@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

const THREADS = 64u;

@compute @workgroup_size(THREADS)
fn slstm_gradient_sum(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                      @builtin(local_invocation_index) thread: u32) {
  let place = (group.x + group.y * groups.x) * THREADS + thread;
  if (place >= params.B * params.S * params.G * params.NH * params.DH) { return; }
  var sum = 0.0;
  for (var plane = 0u; plane < params.planes; plane++) { sum += source[params.offset + plane * params.stride + place]; }
  let d = place % params.DH;
  var rest = place / params.DH;
  let head = rest % params.NH;
  rest /= params.NH;
  let gate = rest % params.G;
  rest /= params.G;
  let out = at(params.target_place, rest / params.S, head, rest % params.S) + gate * params.target_gate + d;
  if (params.accumulate != 0u) { sum += gradient[out]; }
  gradient[out] = sum;
}
