import { encodeFromFloat32, type ReferenceBuffers } from '@xlstm/device';
import type { bindings } from './signature.ts';

/** MurmurHash3's 32-bit finaliser. */
function mix(word: number): number {
  let mixed = word;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** y [length] = mean + scale · (2u − 1), u uniform from a hash of seed and index; of u32 that hash. */
export function randomFillReference(
  { y }: ReferenceBuffers<typeof bindings>,
  { length, seed, scale, mean }: { length: number; seed: number; scale: number; mean: number },
): void {
  if (y.dtype === 'u32') {
    const words = y.data as ArrayLike<number> as Uint32Array;
    for (let at = 0; at < length; at++) words[at] = mix(at ^ mix(seed));
    return;
  }
  const piece = new Float32Array(4096);
  for (let start = 0; start < length; start += piece.length) {
    const count = Math.min(piece.length, length - start);
    for (let at = 0; at < count; at++) {
      const hash = mix((start + at) ^ mix(seed));
      piece[at] = mean + scale * ((hash >>> 8) / 2 ** 23 - 1);
    }
    y.data.set(encodeFromFloat32(piece.subarray(0, count), y.dtype as 'fp32'), start);
  }
}
