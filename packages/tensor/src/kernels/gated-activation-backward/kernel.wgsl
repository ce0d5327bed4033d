// dgate (+)= dy * up * f'(gate) and dup (+)= dy * f(gate), one invocation an element. Compiled with activation.wgsl.

struct Params {
  rows: u32, D: u32, gateOffset: u32, gateStride: u32, upOffset: u32, upStride: u32,
  dgateOffset: u32, dgateStride: u32, dupOffset: u32, dupStride: u32,
  accumulateGate: u32, accumulateUp: u32, outputs: u32, activation: u32,
}

@group(0) @binding(0) var<storage, read> gate: array<f32>;        // rows of D at gateStride
@group(0) @binding(1) var<storage, read> up: array<f32>;          // rows of D at upStride
@group(0) @binding(2) var<storage, read> dy: array<f32>;          // [rows, D]
@group(0) @binding(3) var<storage, read_write> dgate: array<f32>; // rows of D at dgateStride; of dup too, unless HAS_DUP
@group(0) @binding(4) var<storage, read_write> dup: array<f32>;   // rows of D at dupStride, when HAS_DUP
@group(0) @binding(5) var<uniform> params: Params;

override HAS_DUP: u32 = 0;
override OUTPUTS: u32 = 3; // dgate 1, dup 2
const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn gated_activation_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                             @builtin(local_invocation_index) thread: u32) {
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  if (index >= params.rows * params.D) { return; }
  let row = index / params.D;
  let d = index % params.D;
  let open = activate(gate[params.gateOffset + row * params.gateStride + d]);
  if ((OUTPUTS & 1u) != 0u) {
    var value = dy[index] * up[params.upOffset + row * params.upStride + d] * open.slope;
    let at = params.dgateOffset + row * params.dgateStride + d;
    if (params.accumulateGate != 0u) { value += dgate[at]; }
    dgate[at] = value;
  }
  if ((OUTPUTS & 2u) != 0u) {
    var value = dy[index] * open.value;
    let at = params.dupOffset + row * params.dupStride + d;
    if (HAS_DUP != 0u) {
      if (params.accumulateUp != 0u) { value += dup[at]; }
      dup[at] = value;
    } else {
      if (params.accumulateUp != 0u) { value += dgate[at]; }
      dgate[at] = value;
    }
  }
}
