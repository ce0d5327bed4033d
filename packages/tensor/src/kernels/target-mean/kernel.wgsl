// result = mean of losses [T] over the targets that are not ignored, 0 when all are; their number when there are no losses.
// One workgroup: T is some tens of thousands at most, and the order of the additions is fixed.

struct Params { T: u32, ignoreIndex: i32 }

@group(0) @binding(0) var<storage, read> targets: array<i32>;      // [T]
@group(0) @binding(1) var<storage, read> losses: array<f32>;       // [T], when HAS_LOSSES
@group(0) @binding(2) var<storage, read_write> result: array<f32>; // [1]
@group(0) @binding(3) var<uniform> params: Params;

override HAS_LOSSES: u32 = 0;
override THREADS: u32 = 256; // a power of two

var<workgroup> counts: array<u32, THREADS>;
var<workgroup> sums: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn target_mean(@builtin(local_invocation_index) thread: u32) {
  var count = 0u;
  var sum = 0.0;
  for (var t = thread; t < params.T; t += THREADS) {
    if (targets[t] != params.ignoreIndex) {
      count++;
      if (HAS_LOSSES != 0u) { sum += losses[t]; }
    }
  }
  counts[thread] = count;
  sums[thread] = sum;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) {
      counts[thread] += counts[thread + half];
      sums[thread] += sums[thread + half];
    }
  }
  if (thread > 0u) { return; }
  let total = f32(counts[0]);
  if (HAS_LOSSES == 0u) {
    result[0] = total;
  } else if (counts[0] == 0u) {
    result[0] = 0.0;
  } else {
    result[0] = sums[0] / total;
  }
}
