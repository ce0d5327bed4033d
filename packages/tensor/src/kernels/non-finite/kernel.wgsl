// counts[first + p] = how many elements of the p-th of `parts` runs of x [length] are NaN or infinite, one workgroup a run.

struct Params { length: u32, first: u32, parts: u32 }

@group(0) @binding(0) var<storage, read> x: array<u32>;            // [length], the bits of f32
@group(0) @binding(1) var<storage, read_write> counts: array<u32>; // [first + parts]
@group(0) @binding(2) var<uniform> params: Params;

override THREADS: u32 = 256; // a power of two

const EXPONENT = 0x7f800000u;

var<workgroup> sums: array<u32, THREADS>;

@compute @workgroup_size(THREADS)
fn non_finite(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let run = (params.length + params.parts - 1u) / params.parts;
  let end = min((group.x + 1u) * run, params.length);
  var count = 0u;
  for (var index = group.x * run + thread; index < end; index += THREADS) {
    count += u32((x[index] & EXPONENT) == EXPONENT);
  }
  sums[thread] = count;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { sums[thread] += sums[thread + half]; }
  }
  if (thread == 0u) { counts[params.first + group.x] = sums[0]; }
}
