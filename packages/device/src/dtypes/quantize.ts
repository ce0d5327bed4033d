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

/** Fractions of the widest scale that are tried for 4 bits: cutting off the largest values can make all others finer. */
const SHRINKS = [1, 0.96, 0.92, 0.88, 0.84, 0.8, 1.06] as const;

/**
 * Sum of squared errors of a group at one 4-bit scale, given up once it exceeds `limit`. Truncating a positive number is rounding
 * without a call: this runs seven times for each weight of a model.
 */
function errorAt(values: Float32Array, start: number, group: number, scale: number, limit: number): number {
  const inverse = 1 / scale;
  let sum = 0;
  for (let at = start; at < start + group; at += 8) {
    for (let part = at; part < at + 8; part++) {
      const value = values[part]!;
      const shifted = value * inverse + 8.5;
      const error = value - scale * ((shifted < 0 ? 0 : shifted >= 16 ? 15 : shifted | 0) - 8);
      sum += error * error;
    }
    if (sum >= limit) return sum;
  }
  return sum;
}

/** The bits of the fp16 scale for one group; the extreme element decides its sign, so that it falls on −8, not on 7. */
function scaleOf(values: Float32Array, start: number, group: number, bits: 8 | 4, table: Float32Array): number {
  let extreme = 0;
  for (let at = start; at < start + group; at++) {
    const value = values[at]!;
    if (Math.abs(value) <= Math.abs(extreme)) continue;
    extreme = value;
    if (Number.isNaN(value)) break;
  }
  if (!(Math.abs(extreme) <= (bits === 8 ? 127 : 8) * 65504)) {
    throw new DtypeError(
      `quantizeRows: values must be finite and within the reach of an fp16 scale, got ${extreme}; keep this tensor in bf16 or fp32`,
    );
  }
  if (bits === 8) return encodeFp16Number(Math.abs(extreme) / 127);
  const widest = extreme / -8;
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const shrink of SHRINKS) {
    const encoded = encodeFp16Number(widest * shrink);
    const scale = table[encoded]!;
    if (scale === 0 || !Number.isFinite(scale)) continue;
    const error = errorAt(values, start, group, scale, least);
    if (error < least) {
      least = error;
      best = encoded;
    }
  }
  return best;
}

/**
 * Quantises whole rows of a matrix, each group by itself: 8 bits with the scale max|w| / 127, 4 bits with the scale of
 * seven candidates that leaves the least squared error.
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
  const [shift, most, offset, mask] = bits === 8 ? [127, 254, 127, 0xff] : [8, 15, 0, 0xf];
  for (let start = 0; start < values.length; start += group) {
    const encoded = scaleOf(values, start, group, bits, table);
    scales[start / group] = encoded;
    const scale = table[encoded]!;
    const inverse = scale === 0 ? 0 : 1 / scale;
    for (let at = start; at < start + group; at += perWord) {
      let word = 0;
      for (let part = 0; part < perWord; part++) {
        const shifted = values[at + part]! * inverse + (shift + 0.5);
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
