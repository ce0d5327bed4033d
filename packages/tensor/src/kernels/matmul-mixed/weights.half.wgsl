// B's elements are fp16, or bf16 that is rounded to it; a vector holds eight.

@group(0) @binding(1) var<storage, read> b: array<vec4<u32>>; // [N, K], or [K, N], rows at bStride from bOffset
@group(0) @binding(2) var<storage, read> scales: array<u32>;

override WEIGHT_DTYPE: u32 = 1; // 1 fp16, 2 bf16

struct Packed { words: vec4<u32> }

fn fetch(vector: u32) -> Packed { return Packed(b[vector]); }

fn narrowed(word: u32) -> u32 {
  return pack2x16float(vec2(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u)));
}

fn halves(packed: Packed) -> vec4<u32> {
  let words = packed.words;
  if (WEIGHT_DTYPE == 1u) { return words; }
  return vec4(narrowed(words.x), narrowed(words.y), narrowed(words.z), narrowed(words.w));
}
