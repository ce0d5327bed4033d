// dx (+)= r * (g - mean(g) - n * mean(g * n)), dgate (+)= dy * (n * w + bias) * s * (1 - s), LANES invocations a head of a
// row; n = (x - mean) * r, r = rsqrt(var + eps), w = weightOffset + weight, s = sigmoid(gate), g = dy * w (* s).

struct Params {
  rows: u32, NH: u32, DH: u32, eps: f32, weightOffset: f32, gateOffset: u32, gateStride: u32,
  dgateOffset: u32, dgateStride: u32, accumulateX: u32, accumulateGate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;           // [rows, NH * DH]
@group(0) @binding(1) var<storage, read> weight: array<f32>;      // [NH * DH]
@group(0) @binding(2) var<storage, read> bias: array<f32>;        // [NH * DH], when HAS_BIAS
@group(0) @binding(3) var<storage, read> gate: array<f32>;        // rows of NH * DH at gateStride, when HAS_GATE
@group(0) @binding(4) var<storage, read> dy: array<f32>;          // [rows, NH * DH]
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;    // [rows, NH * DH], when HAS_DX
@group(0) @binding(6) var<storage, read_write> dgate: array<f32>; // rows of NH * DH at dgateStride, when HAS_DGATE
@group(0) @binding(7) var<storage, read_write> stats: array<f32>; // [rows, NH, 2]: mean and r, when HAS_STATS
@group(0) @binding(8) var<uniform> params: Params;

override HAS_BIAS: u32 = 0;
override HAS_GATE: u32 = 0;
override HAS_DX: u32 = 0;
override HAS_DGATE: u32 = 0;
override HAS_STATS: u32 = 0;
// Powers of two. With one lane there is no barrier, which suits software adapters.
override LANES: u32 = 256;
override HEADS: u32 = 1;
override THREADS: u32 = LANES * HEADS;
// Terms that a lane adds up before it adds them to its total: keeps the digits of a wide head.
const BLOCK = 16u;

var<workgroup> shares: array<vec3<f32>, THREADS>;

fn total(thread: u32, own: vec3<f32>) -> vec3<f32> {
  // The previous total must be read by all before it is overwritten.
  if (LANES > 1u) { workgroupBarrier(); }
  shares[thread] = own;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread % LANES < half) { shares[thread] += shares[thread + half]; }
  }
  if (LANES > 1u) { workgroupBarrier(); }
  return shares[thread - thread % LANES];
}

@compute @workgroup_size(THREADS)
fn head_layer_norm_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                            @builtin(local_invocation_index) thread: u32) {
  let index = (group.x + group.y * groups.x) * HEADS + thread / LANES;
  let lane = thread % LANES;
  let live = index < params.rows * params.NH;
  let row = index / params.NH;
  let column = (index % params.NH) * params.DH;
  let start = index * params.DH;
  let gateStart = params.gateOffset + row * params.gateStride + column;
  // Every invocation takes part in the barriers; heads past the end have no columns.
  let DH = select(0u, params.DH, live);

  var values = 0.0;
  for (var block = 0u; block < DH; block += LANES * BLOCK) {
    var part = 0.0;
    for (var d = block + lane; d < min(DH, block + LANES * BLOCK); d += LANES) { part += x[start + d]; }
    values += part;
  }
  let mean = total(thread, vec3(values, 0.0, 0.0)).x / f32(params.DH);

  var sums = vec3(0.0);
  for (var block = 0u; block < DH; block += LANES * BLOCK) {
    var part = vec3(0.0);
    for (var d = block + lane; d < min(DH, block + LANES * BLOCK); d += LANES) {
      let centred = x[start + d] - mean;
      var g = dy[start + d] * (params.weightOffset + weight[column + d]);
      if (HAS_GATE != 0u) {
        let z = gate[gateStart + d];
        let e = exp(-abs(z));
        g *= select(1.0, e, z < 0.0) / (1.0 + e);
      }
      part += vec3(centred * centred, g, g * centred);
    }
    sums += part;
  }
  let means = total(thread, sums) / f32(params.DH);
  let scale = inverseSqrt(means.x + params.eps);
  let pull = means.z * scale * scale;

  if (HAS_DX + HAS_DGATE > 0u) {
    for (var d = lane; d < DH; d += LANES) {
      let centred = x[start + d] - mean;
      let scaled = params.weightOffset + weight[column + d];
      var g = dy[start + d] * scaled;
      if (HAS_GATE != 0u) {
        // exp never overflows here, whatever the gate; NaN stays NaN.
        let z = gate[gateStart + d];
        let e = exp(-abs(z));
        if (HAS_DGATE != 0u) {
          var u = centred * scale * scaled;
          if (HAS_BIAS != 0u) { u += bias[column + d]; }
          var value = dy[start + d] * u * (e / ((1.0 + e) * (1.0 + e)));
          let at = params.dgateOffset + row * params.dgateStride + column + d;
          if (params.accumulateGate != 0u) { value += dgate[at]; }
          dgate[at] = value;
        }
        g *= select(1.0, e, z < 0.0) / (1.0 + e);
      }
      if (HAS_DX != 0u) {
        var value = scale * (g - means.y - centred * pull);
        if (params.accumulateX != 0u) { value += dx[start + d]; }
        dx[start + d] = value;
      }
    }
  }
  if (HAS_STATS != 0u && lane == 0u && live) {
    stats[2u * index] = mean;
    stats[2u * index + 1u] = scale;
  }
}
