import { DtypeError, ShapeError } from '../errors.ts';
import { decodeTable, encodeFp16Number } from './convert.ts';
import type { QuantizedDtype } from './dtype.ts';

/** Elements of a row that share a scale. A row's length must be a multiple of it. */
export const QUANTIZATION_GROUPS = [32, 64, 128] as const;
export type QuantizationGroup = (typeof QUANTIZATION_GROUPS)[number];
/** What is used where nobody says otherwise. */
export const DEFAULT_QUANTIZATION_GROUP: QuantizationGroup = 32;

/**
 * Rows of a quantised matrix `[rows, K]`: value = scale · code, one scale for each group of a row.
 *
 * - `codes`: `q8` signed bytes −127…127, four to a word from its low bits up; `q4` nibbles 0…15 that stand for −8…7, eight to a
 *   word, element k in bits 4·(k mod 8). Row after row, `[rows, K · bits / 32]` words.
 * - `scales`: `[rows, K / group]` bits of fp16.
 */
export interface QuantizedRows {
  codes: Uint32Array<ArrayBuffer>;
  scales: Uint16Array<ArrayBuffer>;
}

/** Bits of one code. */
export function quantizedBits(dtype: QuantizedDtype): 8 | 4 {
  return dtype === 'q8' ? 8 : 4;
}

/** Whether rows of `K` elements can be kept in groups of `group`. */
export function isQuantizable(K: number, group: number): boolean {
  return K > 0 && K % group === 0;
}

/** Words of codes and number of scales that `rows` rows of `K` elements take. */
export function quantizedLengths(
  dtype: QuantizedDtype,
  group: number,
  rows: number,
  K: number,
): { codes: number; scales: number } {
  return { codes: (rows * K * quantizedBits(dtype)) / 32, scales: (rows * K) / group };
}

function requireGroups(operation: string, length: number, K: number, group: number): void {
  if (!(QUANTIZATION_GROUPS as readonly number[]).includes(group)) {
    throw new ShapeError(`${operation}: the group must be ${QUANTIZATION_GROUPS.join(', ')}, got ${group}`);
  }
  if (!isQuantizable(K, group) || length % K !== 0) {
    throw new ShapeError(
      `${operation}: expected whole rows of K elements, K a multiple of the group ${group}; got ${length} elements, K ${K}`,
    );
  }
}

/** How numbers of so many bits are coded, and which scales are tried for them. */
interface Coding {
  /** What is added to a code so that none is negative. */
  zero: number;
  /** The largest code, with `zero` added. */
  most: number;
  /** The code that the element of largest magnitude gets at the first scale. */
  extreme: number;
  /** Multiples of that scale that are tried. */
  scales: readonly number[];
}

const CODINGS: Readonly<Record<8 | 4, Coding>> = {
  // With the extreme at another whole code all others round another way; what was quantised before finds its scale again.
  8: { zero: 127, most: 254, extreme: 127, scales: [127, 126, 125, 124, 123, 122, 121, 120].map((code) => 127 / code) },
  // Cutting off the largest values can make all others finer.
  4: { zero: 8, most: 15, extreme: -8, scales: [1, 0.96, 0.92, 0.88, 0.84, 0.8, 1.06] },
};

/**
 * Sum of squared errors of a group at one scale, given up once it exceeds `limit`. Truncating a positive number is rounding
 * without a call: this runs seven times for each weight of a model.
 */
function errorAt(
  values: Float32Array,
  start: number,
  group: number,
  scale: number,
  { zero, most }: Coding,
  limit: number,
): number {
  const inverse = 1 / scale;
  const shift = zero + 0.5;
  let sum = 0;
  for (let at = start; at < start + group; at += 8) {
    for (let part = at; part < at + 8; part++) {
      const value = values[part]!;
      const shifted = value * inverse + shift;
      const error = value - scale * ((shifted < 0 ? 0 : shifted > most ? most : shifted | 0) - zero);
      sum += error * error;
    }
    if (sum >= limit) return sum;
  }
  return sum;
}

/** Added to a number and taken away again, it leaves the nearest whole one. */
const WHOLE = 1.5 * 2 ** 52;
/** From here up fp16 rounds a scale by 2⁻¹¹ at most, which takes no magnitude past the largest code. */
const LEAST_NORMAL = 2 ** -14;

/** As `errorAt`, at half the time, for a scale at which nothing is cut off. */
function roundingError(values: Float32Array, start: number, group: number, scale: number): number {
  const inverse = 1 / scale;
  let even = 0;
  let odd = 0;
  for (let at = start; at < start + group; at += 2) {
    const x = values[at]! * inverse;
    const next = values[at + 1]! * inverse;
    const error = x - (x + WHOLE - WHOLE);
    const nextError = next - (next + WHOLE - WHOLE);
    even += error * error;
    odd += nextError * nextError;
  }
  return (even + odd) * scale * scale;
}

/** The bits of the fp16 scale for one group. With 4 bits the extreme element decides its sign, so that it falls on −8, not on 7. */
function scaleOf(values: Float32Array, start: number, group: number, bits: 8 | 4, table: Float32Array): number {
  const coding = CODINGS[bits];
  let extreme = 0;
  for (let at = start; at < start + group; at++) {
    const value = values[at]!;
    if (Math.abs(value) <= Math.abs(extreme)) continue;
    extreme = value;
    if (Number.isNaN(value)) break;
  }
  if (!(Math.abs(extreme) <= Math.abs(coding.extreme) * 65504)) {
    throw new DtypeError(
      `quantizeRows: values must be finite and within the reach of an fp16 scale, got ${extreme}; keep this tensor in bf16 or fp32`,
    );
  }
  const first = (bits === 8 ? Math.abs(extreme) : extreme) / coding.extreme;
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const multiple of coding.scales) {
    const encoded = encodeFp16Number(first * multiple);
    const scale = table[encoded]!;
    if (scale === 0 || !Number.isFinite(scale)) continue;
    const error =
      bits === 8 && scale >= LEAST_NORMAL
        ? roundingError(values, start, group, scale)
        : errorAt(values, start, group, scale, coding, least);
    if (error < least) {
      least = error;
      best = encoded;
    }
  }
  return best;
}

/**
 * Quantises whole rows of a matrix, each group by itself, with the scale of eight (`q8`) or seven (`q4`) candidates that
 * leaves the least squared error: max|w| / 127 … 120, or around w/−8, w the element of largest magnitude.
 *
 * @param values `[rows, K]`, row-major, finite
 * @throws ShapeError unless K is a multiple of the group; DtypeError for values that are not finite or out of reach
 * @example
 * ```ts
 * const { codes, scales } = quantizeRows(new Float32Array(2 * 64).fill(0.5), 64, 'q4', 32)
 * ```
 */
export function quantizeRows(values: Float32Array, K: number, dtype: QuantizedDtype, group: number): QuantizedRows {
  requireGroups('quantizeRows', values.length, K, group);
  const bits = quantizedBits(dtype);
  const lengths = quantizedLengths(dtype, group, values.length / K, K);
  const codes = new Uint32Array(lengths.codes);
  const scales = new Uint16Array(lengths.scales);
  const table = decodeTable('fp16');
  const perWord = 32 / bits;
  // Shifted into what is positive, where truncating is rounding; then codes of 8 bits go back to two's complement.
  const { zero, most } = CODINGS[bits];
  const [offset, mask] = bits === 8 ? [zero, 0xff] : [0, 0xf];
  for (let start = 0; start < values.length; start += group) {
    const encoded = scaleOf(values, start, group, bits, table);
    scales[start / group] = encoded;
    const scale = table[encoded]!;
    const inverse = scale === 0 ? 0 : 1 / scale;
    for (let at = start; at < start + group; at += perWord) {
      let word = 0;
      for (let part = 0; part < perWord; part++) {
        const shifted = values[at + part]! * inverse + (zero + 0.5);
        const code = shifted < 0 ? 0 : shifted >= most + 1 ? most : shifted | 0;
        word |= ((code - offset) & mask) << (part * bits);
      }
      codes[at / perWord] = word;
    }
  }
  return { codes, scales };
}

/**
 * The float32 values of quantised rows, `[rows, K]`.
 *
 * @throws ShapeError when codes, scales, K and group do not go together
 */
export function dequantizeRows(
  { codes, scales }: { codes: Uint32Array; scales: Uint16Array },
  K: number,
  dtype: QuantizedDtype,
  group: number,
): Float32Array<ArrayBuffer> {
  const bits = quantizedBits(dtype);
  const perWord = 32 / bits;
  const length = codes.length * perWord;
  requireGroups('dequantizeRows', length, K, group);
  if (scales.length * group !== length) {
    throw new ShapeError(
      `dequantizeRows: expected ${length / group} scales for ${length} codes in groups of ${group}, got ${scales.length}`,
    );
  }
  const table = decodeTable('fp16');
  const values = new Float32Array(length);
  for (let at = 0; at < length; at++) {
    const word = codes[Math.floor(at / perWord)]!;
    const shift = (at % perWord) * bits;
    const code = bits === 8 ? (word << (24 - shift)) >> 24 : ((word >>> shift) & 0xf) - 8;
    values[at] = table[scales[Math.floor(at / group)]!]! * code;
  }
  return values;
}
