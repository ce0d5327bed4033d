// R as checkpoints have it: for a single step, which reads it once.

@group(0) @binding(1) var<storage, read> recurrent: array<f32>;  // [NH, 4, DH_out, DH_in]

fn stored_weight(head: u32, k: u32, unit: u32) -> vec4<f32> {
  let gate = params.DH * params.DH;
  let place = 4u * gate * head + unit * params.DH + k;
  return vec4(recurrent[place], recurrent[place + gate], recurrent[place + 2u * gate], recurrent[place + 3u * gate]);
}
