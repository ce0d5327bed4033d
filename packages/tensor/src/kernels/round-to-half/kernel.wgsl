// y [rows, yStride] = x [rows, D] in float16, times the power of two that brings max |x| to 2^14 … 2^15 when HAS_MAX;
// eight elements an invocation, zeros from D on. Without a scale, what is finite stays so: at most 65504.

struct Params { rows: u32, D: u32, xOffset: u32, xStride: u32, yStride: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;               // rows at xOffset + row * xStride
@group(0) @binding(1) var<storage, read> largest: array<u32>;         // [1], bits of max |x|
@group(0) @binding(2) var<storage, read_write> y: array<vec4<u32>>;   // [rows, yStride / 8]
@group(0) @binding(3) var<uniform> params: Params;

override HAS_MAX: u32 = 0;
const THREADS = 256u;
const MOST = 65504.0;

fn element(row: u32, d: u32, scale: f32) -> f32 {
  if (d >= params.D) { return 0.0; }
  let value = x[params.xOffset + row * params.xStride + d] * scale;
  // Infinity and NaN stay what they are, so that they are found.
  let finite = (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
  return select(value, clamp(value, -MOST, MOST), finite);
}

// As pack2x16float, which need not take infinity and NaN.
fn narrowed(low: f32, high: f32) -> u32 {
  let bits = vec2(bitcast<u32>(low), bitcast<u32>(high));
  let special = (bits & vec2(0x7f800000u)) == vec2(0x7f800000u);
  let infinite = vec2(0x7c00u) | select(vec2(0u), vec2(0x200u), (bits & vec2(0x7fffffu)) != vec2(0u));
  let kept = infinite | ((bits >> vec2(16u)) & vec2(0x8000u));
  let packed = pack2x16float(select(vec2(low, high), vec2(0.0), special));
  let halves = select(vec2(packed & 0xffffu, packed >> 16u), kept, special);
  return halves.x | (halves.y << 16u);
}

@compute @workgroup_size(THREADS)
fn round_to_half(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                 @builtin(local_invocation_index) thread: u32) {
  let index = (group.x + group.y * groups.x) * THREADS + thread;
  let vectors = params.yStride / 8u;
  if (index >= params.rows * vectors) { return; }
  var scale = 1.0;
  if (HAS_MAX != 0u) {
    scale = bitcast<f32>(clamp(268u - (largest[0] >> 23u), 1u, 253u) << 23u);
  }
  let row = index / vectors;
  let d = (index % vectors) * 8u;
  y[index] = vec4(
    narrowed(element(row, d, scale), element(row, d + 1u, scale)),
    narrowed(element(row, d + 2u, scale), element(row, d + 3u, scale)),
    narrowed(element(row, d + 4u, scale), element(row, d + 5u, scale)),
    narrowed(element(row, d + 6u, scale), element(row, d + 7u, scale)),
  );
}
