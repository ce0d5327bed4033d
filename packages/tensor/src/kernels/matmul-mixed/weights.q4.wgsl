// B's elements are nibbles, code + 8, [N, K] only, eight a word, with a float16 scale for each `group` of a row.

@group(0) @binding(1) var<storage, read> b: array<u32>;       // [N, K / 8]
@group(0) @binding(2) var<storage, read> scales: array<u32>;  // [N, K / group], two a word

struct Packed { words: u32, scale: vec2<f16> }

fn fetch(vector: u32) -> Packed {
  let place = vector * 8u / params.group;
  let pair = bitcast<vec2<f16>>(scales[place / 2u]);
  return Packed(b[vector], vec2(select(pair.x, pair.y, place % 2u == 1u)));
}

// Two neighbouring nibbles, the lowest of `word`: 1024 + 8 + code as float16 is 0x6400 with the nibble in it.
fn pair(word: u32, scale: vec2<f16>) -> u32 {
  let code = bitcast<vec2<f16>>((word & 0xfu) | ((word & 0xf0u) << 12u) | 0x64006400u) - vec2(1032.0h);
  return bitcast<u32>(code * scale);
}

fn halves(packed: Packed) -> vec4<u32> {
  let word = packed.words;
  return vec4(
    pair(word, packed.scale),
    pair(word >> 8u, packed.scale),
    pair(word >> 16u, packed.scale),
    pair(word >> 24u, packed.scale),
  );
}
