// partials[part, column] = sum over the part's rows of dy * a * silu(z), an invocation a column of a part. Compiled with
// activation.wgsl.

struct Params { rows: u32, D: u32, chunk: u32, zOffset: u32, zStride: u32 }

@group(0) @binding(0) var<storage, read> a: array<f32>;              // [rows, D]
@group(0) @binding(1) var<storage, read> z: array<f32>;              // rows of D at zStride
@group(0) @binding(2) var<storage, read> dy: array<f32>;             // [rows, D]
@group(0) @binding(3) var<storage, read_write> partials: array<f32>; // [parts, D]
@group(0) @binding(4) var<uniform> params: Params;

const THREADS = 64u;

@compute @workgroup_size(THREADS)
fn gated_skip_weight_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                              @builtin(local_invocation_index) thread: u32) {
  let blocks = (params.D + THREADS - 1u) / THREADS;
  let index = group.x + group.y * groups.x;
  let part = index / blocks;
  let column = (index % blocks) * THREADS + thread;
  let first = part * params.chunk;
  if (column >= params.D || first >= params.rows) { return; }
  var sum = 0.0;
  for (var row = first; row < min(params.rows, first + params.chunk); row++) {
    let at = row * params.D + column;
    sum += dy[at] * a[at] * silu(z[params.zOffset + row * params.zStride + column]).value;
  }
  partials[part * params.D + column] = sum;
}
