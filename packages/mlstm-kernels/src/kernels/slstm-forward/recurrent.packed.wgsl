// R packed by input: the weights of the four gates of (head, input k, unit) side by side.

@group(0) @binding(1) var<storage, read> recurrent: array<vec4<f32>>;  // [NH, DH_in, DH_out]

fn stored_weight(head: u32, k: u32, unit: u32) -> vec4<f32> {
  return recurrent[(head * params.DH + k) * params.DH + unit];
}
