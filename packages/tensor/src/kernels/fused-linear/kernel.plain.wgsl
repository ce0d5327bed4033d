// Any sizes and alignments; shared.wgsl comes before this text. 32 invocations make one output, a workgroup four.

@group(0) @binding(0) var<storage, read> x: array<f32>;       // [M, K]
@group(0) @binding(1) var<storage, read> gate: array<f32>;    // for prologue 2
@group(0) @binding(2) var<storage, read> norm: array<f32>;    // [K], the weight of the norm
@group(0) @binding(3) var<storage, read> biases: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<u32>;  // [rows, K], packed into words
@group(0) @binding(5) var<storage, read> scales: array<u32>;  // [rows, K / group], two fp16 a word
@group(0) @binding(6) var<storage, read> extra: array<f32>;   // [E, K]
@group(0) @binding(7) var<storage, read_write> y: array<f32>; // M rows at yStride
@group(0) @binding(8) var<uniform> params: Params;

const THREADS = 128u;
const LANES = 32u;
const OUTPUTS = 4u;
const MAX_ROWS = 8u;
const MAX_HEADS = 512u;

var<workgroup> partial: array<vec2<f32>, THREADS>;
var<workgroup> norms: array<f32, MAX_ROWS>;           // RMSNorm: 1 / rms of each row
var<workgroup> head_norms: array<vec2<f32>, MAX_HEADS>; // mean and 1 / deviation, [m, head]

fn weight_at(element: u32) -> f32 {
  if (WEIGHT_DTYPE == 0u) { return bitcast<f32>(weight[element]); }
  if (WEIGHT_DTYPE <= 2u) {
    let word = weight[element / 2u];
    let odd = (element & 1u) == 1u;
    if (WEIGHT_DTYPE == 1u) {
      let pair = unpack2x16float(word);
      return select(pair.x, pair.y, odd);
    }
    return bitcast<f32>(select(word << 16u, word & 0xffff0000u, odd));
  }
  let index = element / params.group;
  let pair = unpack2x16float(scales[index / 2u]);
  let scale = select(pair.x, pair.y, (index & 1u) == 1u);
  if (WEIGHT_DTYPE == 3u) {
    return scale * f32(extractBits(bitcast<i32>(weight[element / 4u]), (element & 3u) * 8u, 8u));
  }
  return scale * f32(i32(extractBits(weight[element / 8u], (element & 7u) * 4u, 4u)) - 8);
}

fn total(thread: u32, own: f32) -> f32 {
  workgroupBarrier(); // the total before has been read
  partial[thread].x = own;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { partial[thread].x += partial[thread + half].x; }
  }
  workgroupBarrier();
  return partial[0].x;
}

fn prepare(thread: u32) {
  if (PROLOGUE == 1u) {
    for (var m = 0u; m < params.M; m++) {
      var squares = 0.0;
      for (var k = thread; k < params.K; k += THREADS) {
        let value = x[m * params.K + k];
        squares += value * value;
      }
      let sum = total(thread, squares);
      if (thread == 0u) { norms[m] = inverseSqrt(sum / f32(params.K) + params.eps); }
    }
    workgroupBarrier();
  }
  if (PROLOGUE == 2u) {
    let DH = params.K / params.heads;
    for (var index = 0u; index < params.M * params.heads; index++) {
      var sum = 0.0;
      for (var d = thread; d < DH; d += THREADS) { sum += x[index * DH + d]; }
      let mean = total(thread, sum) / f32(DH);
      var squares = 0.0;
      for (var d = thread; d < DH; d += THREADS) {
        let centred = x[index * DH + d] - mean;
        squares += centred * centred;
      }
      let deviation = inverseSqrt(total(thread, squares) / f32(DH) + params.eps);
      if (thread == 0u) { head_norms[index] = vec2(mean, deviation); }
    }
    workgroupBarrier();
  }
}

fn x_at(m: u32, k: u32) -> f32 {
  let value = x[m * params.K + k];
  if (PROLOGUE == 1u) { return value * norm[k]; }
  if (PROLOGUE == 2u) {
    let head = head_norms[m * params.heads + k / (params.K / params.heads)];
    let normed = (value - head.x) * head.y * norm[k];
    return normed * sigmoid(gate[params.gateOffset + m * params.gateStride + k]);
  }
  return value;
}

@compute @workgroup_size(THREADS)
fn fused_linear(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
                @builtin(local_invocation_index) thread: u32) {
  prepare(thread);
  let index = workgroup.x + workgroup.y * workgroups.x;
  let extras = (params.E + OUTPUTS - 1u) / OUTPUTS;
  let lane = thread % LANES;
  let is_extra = index < extras;
  // Rows past the end repeat the last one and are not stored.
  var n = index * OUTPUTS + thread / LANES;
  if (!is_extra) { n -= extras * OUTPUTS; }
  let start = min(n, max(select(params.N, params.E, is_extra), 1u) - 1u) * params.K;
  for (var m = 0u; m < params.M; m++) {
    var sum = vec2(0.0);
    for (var k = lane; k < params.K; k += LANES) {
      let value = x_at(m, k);
      if (is_extra) {
        sum.x += value * extra[start + k];
      } else {
        sum.x += value * weight_at(start + k);
        if (EPILOGUE == 2u) { sum.y += value * weight_at(start + params.up * params.K + k); }
      }
    }
    workgroupBarrier(); // the row before has been read
    partial[thread] = sum;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if (lane < half) { partial[thread] += partial[thread + half]; }
    }
    if (lane == 0u) {
      var scale = 1.0;
      if (PROLOGUE == 1u) { scale = norms[m]; }
      let made = partial[thread];
      if (is_extra) { store_extra(m, n, made.x, scale); } else { store(m, n, made.x, made.y, scale, added(m, n)); }
    }
  }
}
