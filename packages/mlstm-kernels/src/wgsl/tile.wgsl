// A 64 x 64 tile of a matrix product sum_x a[x, row] b[x, column], which the backward kernels share. 256 invocations; each
// holds rows 4*(thread/16) .. +3 and columns 4*(thread%16) .. +3. Both factors pass through workgroup memory 16 of x at a
// time; a kernel fills `tile_a` and `tile_b` (whole vectors, since a store to one component may touch the others), with
// zeros past the ends.

const THREADS = 256u;
const TILE = 64u;
const DEPTH = 16u;
const STRIDE = 17u;                                  // one more than the quads, so that stores along x spread over the banks

var<workgroup> tile_a: array<vec4<f32>, 272>;        // [x, row / 4]
var<workgroup> tile_b: array<vec4<f32>, 272>;        // [x, column / 4]

// By row, over the four columns.
struct Sums { r0: vec4<f32>, r1: vec4<f32>, r2: vec4<f32>, r3: vec4<f32> }

// Where to put a vector of four rows (or columns) of one x, when neighbouring invocations take neighbouring x.
fn along_x(thread: u32) -> u32 { return (thread % DEPTH) * STRIDE + thread / DEPTH; }
// The same, when neighbouring invocations take neighbouring quads.
fn along_quads(thread: u32) -> u32 { return (thread / DEPTH) * STRIDE + thread % DEPTH; }

fn add_products(sums: Sums, thread: u32) -> Sums {
  var s = sums;
  for (var x = 0u; x < DEPTH; x++) {
    let a = tile_a[x * STRIDE + thread / 16u];
    let b = tile_b[x * STRIDE + thread % 16u];
    s.r0 += a.x * b;
    s.r1 += a.y * b;
    s.r2 += a.z * b;
    s.r3 += a.w * b;
  }
  return s;
}

fn row_of(sums: Sums, r: u32) -> vec4<f32> {
  if (r == 0u) { return sums.r0; }
  if (r == 1u) { return sums.r1; }
  if (r == 2u) { return sums.r2; }
  return sums.r3;
}
