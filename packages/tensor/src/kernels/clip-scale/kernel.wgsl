// slots[p] = sum of tensor p's partial sums of squares; norm[0] = gradientScale * sqrt(sum of slots);
// norm[1] = gradientScale * min(1, maxNorm / (norm[0] + 1e-6)), NaN when the norm is not finite.
// One workgroup: there are some thousands of partial sums at most.

struct Params { P: u32, maxNorm: f32 }

@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read> starts: array<u32>;      // [P + 1]
@group(0) @binding(2) var<storage, read> hyper: array<f32>;       // [4], 3 the gradients' scale
@group(0) @binding(3) var<storage, read_write> slots: array<f32>; // [P]
@group(0) @binding(4) var<storage, read_write> norm: array<u32>;  // [2], bits of f32
@group(0) @binding(5) var<uniform> params: Params;

override THREADS: u32 = 256; // a power of two

const NOT_A_NUMBER = 0x7fc00000u;
const INFINITY = 0x7f800000u;

var<workgroup> sums: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn clip_scale(@builtin(local_invocation_index) thread: u32) {
  var total = 0.0;
  for (var p = thread; p < params.P; p += THREADS) {
    var sum = 0.0;
    for (var part = starts[p]; part < starts[p + 1u]; part++) { sum += partials[part]; }
    slots[p] = sum;
    total += sum;
  }
  sums[thread] = total;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { sums[thread] += sums[thread + half]; }
  }
  if (thread > 0u) { return; }
  // By its bits, since the square root and the minimum of NaN are numbers on some adapters.
  let bits = bitcast<u32>(sums[0]);
  if ((bits & INFINITY) == INFINITY) {
    norm[0] = bits;
    norm[1] = NOT_A_NUMBER;
    return;
  }
  let length = hyper[3] * sqrt(sums[0]);
  var clip = 1.0;
  if (params.maxNorm > 0.0) { clip = min(1.0, params.maxNorm / (length + 1e-6)); }
  norm[0] = bitcast<u32>(length);
  norm[1] = bitcast<u32>(hyper[3] * clip);
}
