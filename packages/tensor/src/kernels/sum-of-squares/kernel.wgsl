// partials[first + p] = sum of x^2 over the p-th of `parts` runs of x [length], one workgroup a run.

struct Params { length: u32, first: u32, parts: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;              // [length]
@group(0) @binding(1) var<storage, read_write> partials: array<f32>; // [first + parts]
@group(0) @binding(2) var<uniform> params: Params;

override THREADS: u32 = 256; // a power of two

var<workgroup> sums: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn sum_of_squares(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let run = (params.length + params.parts - 1u) / params.parts;
  let end = min((group.x + 1u) * run, params.length);
  var sum = 0.0;
  for (var index = group.x * run + thread; index < end; index += THREADS) { sum += x[index] * x[index]; }
  sums[thread] = sum;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { sums[thread] += sums[thread + half]; }
  }
  if (thread == 0u) { partials[params.first + group.x] = sums[0]; }
}
