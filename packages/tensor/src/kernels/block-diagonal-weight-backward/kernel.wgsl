// partials[part] = sums over the part's rows of dy[b * DO + o] * x[b * DI + i] and of dy; an invocation makes 4 x 4 of them.

struct Params {
  rows: u32, NB: u32, DI: u32, DO: u32, chunk: u32, xOffset: u32, xStride: u32, dyOffset: u32, dyStride: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;              // rows of NB * DI at xStride
@group(0) @binding(1) var<storage, read> dy: array<f32>;             // rows of NB * DO at dyStride
@group(0) @binding(2) var<storage, read_write> partials: array<f32>; // [parts, NB * DO * DI + NB * DO]
@group(0) @binding(3) var<uniform> params: Params;

const THREADS = 64u;

fn store(start: u32, count: u32, values: vec4<f32>) {
  for (var i = 0u; i < count; i++) { partials[start + i] = values[i]; }
}

@compute @workgroup_size(THREADS)
fn block_diagonal_weight_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                                  @builtin(local_invocation_index) thread: u32) {
  let DI = params.DI;
  let DO = params.DO;
  let inputs = (DI + 3u) / 4u;
  let outputs = (DO + 3u) / 4u;
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  let i = 4u * (index % inputs);
  let o = 4u * ((index / inputs) % outputs);
  let b = (index / (inputs * outputs)) % params.NB;
  let part = index / (inputs * outputs * params.NB);
  let first = part * params.chunk;
  if (first >= params.rows) { return; }
  // Past the end of a block, its last column is summed again and not stored.
  let xs = vec4(params.xOffset + b * DI) + min(vec4(i, i + 1u, i + 2u, i + 3u), vec4(DI - 1u));
  let dys = vec4(params.dyOffset + b * DO) + min(vec4(o, o + 1u, o + 2u, o + 3u), vec4(DO - 1u));

  var sums0 = vec4(0.0);
  var sums1 = vec4(0.0);
  var sums2 = vec4(0.0);
  var sums3 = vec4(0.0);
  var biasSums = vec4(0.0);
  for (var row = first; row < min(params.rows, first + params.chunk); row++) {
    let xAt = xs + row * params.xStride;
    let dyAt = dys + row * params.dyStride;
    let values = vec4(x[xAt.x], x[xAt.y], x[xAt.z], x[xAt.w]);
    let gradients = vec4(dy[dyAt.x], dy[dyAt.y], dy[dyAt.z], dy[dyAt.w]);
    sums0 += gradients.x * values;
    sums1 += gradients.y * values;
    sums2 += gradients.z * values;
    sums3 += gradients.w * values;
    biasSums += gradients;
  }
  let start = part * params.NB * DO * (DI + 1u);
  let weights = start + (b * DO + o) * DI + i;
  let columns = min(4u, DI - i);
  store(weights, columns, sums0);
  if (o + 1u < DO) { store(weights + DI, columns, sums1); }
  if (o + 2u < DO) { store(weights + 2u * DI, columns, sums2); }
  if (o + 3u < DO) { store(weights + 3u * DI, columns, sums3); }
  if (i == 0u) { store(start + params.NB * DO * DI + b * DO + o, min(4u, DO - o), biasSums); }
}
