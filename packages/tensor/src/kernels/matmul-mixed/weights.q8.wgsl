// B's elements are signed bytes, [N, K] only, four a word, with a float16 scale for each `group` of a row: eight in two words.

@group(0) @binding(1) var<storage, read> b: array<vec2<u32>>;  // [N, K]
@group(0) @binding(2) var<storage, read> scales: array<u32>;   // [N, K / group], two a word

struct Packed { words: vec2<u32>, scale: vec2<f16> }

fn fetch(vector: u32) -> Packed {
  let place = vector * 8u / params.group;
  let pair = bitcast<vec2<f16>>(scales[place / 2u]);
  return Packed(b[vector], vec2(select(pair.x, pair.y, place % 2u == 1u)));
}

// Two bytes, 16 bits apart: 1024 + 128 + code as float16 is 0x6400 with the byte, its sign flipped, in it.
fn pair(bytes: u32, scale: vec2<f16>) -> u32 {
  let code = bitcast<vec2<f16>>((bytes ^ 0x00800080u) | 0x64006400u) - vec2(1152.0h);
  return bitcast<u32>(code * scale);
}

fn four(word: u32, scale: vec2<f16>) -> vec2<u32> {
  return vec2(
    pair((word & 0xffu) | ((word & 0xff00u) << 8u), scale),
    pair(((word >> 16u) & 0xffu) | ((word >> 8u) & 0xff0000u), scale),
  );
}

fn halves(packed: Packed) -> vec4<u32> {
  return vec4(four(packed.words.x, packed.scale), four(packed.words.y, packed.scale));
}
