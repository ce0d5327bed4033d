import { DtypeError } from '../errors.ts';
import type { FloatDtype, NumberArray } from './dtype.ts';

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

function bf16ToNumber(half: number): number {
  bits[0] = half << 16;
  return float[0]!;
}

function fp16ToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

let bf16Table: Float32Array | undefined;
let fp16Table: Float32Array | undefined;

/**
 * The value of each of the 65,536 bit patterns of a 16-bit float: `table[bits]` decodes. Made on first use.
 * A table of 256 kB beats arithmetic in JavaScript, which has no 16-bit loads that widen.
 */
export function decodeTable(dtype: 'fp16' | 'bf16'): Float32Array {
  if (dtype === 'bf16') {
    bf16Table ??= Float32Array.from({ length: 65536 }, (_, index) => bf16ToNumber(index));
    return bf16Table;
  }
  fp16Table ??= Float32Array.from({ length: 65536 }, (_, index) => fp16ToNumber(index));
  return fp16Table;
}

/** Decodes `source` (values of `dtype`; 16-bit floats as bits) to float32, exactly. */
export function decodeToFloat32(source: NumberArray, dtype: FloatDtype, target?: Float32Array): Float32Array {
  const result = target ?? new Float32Array(source.length);
  if (result.length < source.length) {
    throw new DtypeError(
      `decodeToFloat32: target holds ${result.length} elements, source has ${source.length}; pass a target at least as long`,
    );
  }
  if (dtype === 'fp32') {
    result.set(source);
    return result;
  }
  const table = decodeTable(dtype);
  for (let index = 0; index < source.length; index++) result[index] = table[source[index]!]!;
  return result;
}

function encodeBf16(source: Float32Array, target: Uint16Array): void {
  const words = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    // NaN keeps its sign and becomes quiet: rounding could otherwise carry its fraction into infinity.
    if ((word & 0x7fffffff) > 0x7f800000) target[index] = (word >>> 16) | 0x40;
    else target[index] = (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
}

/** The bits of a float32 value, given by its own bits, as fp16: to nearest, ties to even. */
function fp16OfWord(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and above round to infinity
  if (magnitude >= 0x38800000) {
    const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
    return sign | ((rounded - 0x38000000) >>> 13);
  }
  // Subnormal: units of 2^-24, ties to even.
  bits[0] = magnitude;
  const units = float[0]! * 2 ** 24;
  const floor = Math.floor(units);
  const rest = units - floor;
  return sign | (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor);
}

/** One number, rounded to float32 first, as the bits of an fp16. */
export function encodeFp16Number(value: number): number {
  float[0] = value;
  return fp16OfWord(bits[0]!);
}

function encodeFp16(source: Float32Array, target: Uint16Array): void {
  const words = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let index = 0; index < words.length; index++) target[index] = fp16OfWord(words[index]!);
}

/** Encodes float32 values as `dtype`, rounding to nearest, ties to even; overflow becomes infinity and NaN stays NaN. */
export function encodeFromFloat32(source: Float32Array, dtype: FloatDtype): Float32Array | Uint16Array {
  if (dtype === 'fp32') return source.slice();
  const target = new Uint16Array(source.length);
  if (dtype === 'bf16') encodeBf16(source, target);
  else encodeFp16(source, target);
  return target;
}
