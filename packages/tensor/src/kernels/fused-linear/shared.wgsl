// What the forms of fused_linear share; their texts come after this one.

struct Params {
  M: u32, N: u32, K: u32, prologue: u32, epilogue: u32, bits: u32, group: u32, up: u32,
  yOffset: u32, yStride: u32, heads: u32, gateOffset: u32, gateStride: u32,
  biased: u32, biasOffset: u32, upBiasOffset: u32, E: u32, extraOffset: u32, extraBiasOffset: u32,
  eps: f32, cap: f32, extraCap: f32,
}

override WEIGHT_DTYPE: u32 = 0; // 0 fp32, 1 fp16, 2 bf16, 3 q8, 4 q4
override PROLOGUE: u32 = 0;     // 0 none, 1 RMSNorm, 2 head-wise LayerNorm times sigmoid(gate)
override EPILOGUE: u32 = 0;     // 0 store, 1 add, 2 swiglu

// exp never overflows here; NaN stays NaN.
fn sigmoid(value: f32) -> f32 {
  let e = exp(-abs(value));
  return select(1.0, e, value < 0.0) / (1.0 + e);
}

// Never overflows, and exact to float32 near zero, neither of which the built-in promises. NaN stays NaN.
fn stable_tanh(a: f32) -> f32 {
  let magnitude = abs(a);
  if (magnitude < 0.25) {
    let s = a * a;
    return a * (1.0 + s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * (62.0 / 2835.0)))));
  }
  let e = exp(-2.0 * magnitude);
  return select(1.0, -1.0, a < 0.0) * (1.0 - e) / (1.0 + e);
}

fn capped(value: f32, cap: f32) -> f32 {
  if (cap == 0.0) { return value; }
  return cap * stable_tanh(value / cap);
}

// What is in y where the product is added to it; worth asking for early.
fn added(m: u32, n: u32) -> f32 {
  if (EPILOGUE != 1u || n >= params.N) { return 0.0; }
  return y[m * params.yStride + params.yOffset + n];
}

// `scale` is what RMSNorm left out: x was only multiplied with its weight. `before` is what was in y.
fn store(m: u32, n: u32, sum: f32, up_sum: f32, scale: f32, before: f32) {
  if (n >= params.N) { return; }
  let at = m * params.yStride + params.yOffset + n;
  var value = sum * scale;
  if (params.biased != 0u) { value += biases[params.biasOffset + n]; }
  if (EPILOGUE == 2u) {
    var up = up_sum * scale;
    if (params.biased != 0u) { up += biases[params.upBiasOffset + n]; }
    value *= sigmoid(value) * up;
  }
  value = capped(value, params.cap);
  if (EPILOGUE == 1u) { value += before; }
  y[at] = value;
}

fn store_extra(m: u32, n: u32, sum: f32, scale: f32) {
  if (n >= params.E) { return; }
  let value = sum * scale + biases[params.extraBiasOffset + n];
  y[m * params.yStride + params.extraOffset + n] = capped(value, params.extraCap);
}
