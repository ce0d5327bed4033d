import { decodeTable, type ReferenceBuffers } from '@xlstm/device';
import { matmulReference, type ProductParams } from '../matmul/reference.ts';
import { dots4, dots8, sumsOfGroups } from './quantized-dots.ts';
import type { bindings } from './signature.ts';

/** Weight rows taken at once: four independent sums, which share each element of x. */
const GROUP = 4;

/** The dot products of x with four rows of 16-bit weights, which begin at the elements `r0`…`r3`. */
export function dots16(
  x: Float32Array,
  bits: Uint16Array,
  table: Float32Array,
  K: number,
  r0: number,
  r1: number,
  r2: number,
  r3: number,
  sums: Float64Array,
): void {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let k = 0;
  for (; k + 2 <= K; k += 2) {
    const a = x[k]!;
    const b = x[k + 1]!;
    s0 += a * table[bits[r0 + k]!]! + b * table[bits[r0 + k + 1]!]!;
    s1 += a * table[bits[r1 + k]!]! + b * table[bits[r1 + k + 1]!]!;
    s2 += a * table[bits[r2 + k]!]! + b * table[bits[r2 + k + 1]!]!;
    s3 += a * table[bits[r3 + k]!]! + b * table[bits[r3 + k + 1]!]!;
  }
  if (k < K) {
    const a = x[k]!;
    s0 += a * table[bits[r0 + k]!]!;
    s1 += a * table[bits[r1 + k]!]!;
    s2 += a * table[bits[r2 + k]!]!;
    s3 += a * table[bits[r3 + k]!]!;
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
}

/** As `dots16`, for fp32 weights. A loop that sees two kinds of array would be slow for both. */
export function dots32(
  x: Float32Array,
  weight: Float32Array,
  K: number,
  r0: number,
  r1: number,
  r2: number,
  r3: number,
  sums: Float64Array,
): void {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let k = 0; k < K; k++) {
    const a = x[k]!;
    s0 += a * weight[r0 + k]!;
    s1 += a * weight[r1 + k]!;
    s2 += a * weight[r2 + k]!;
    s3 += a * weight[r3 + k]!;
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
}

/**
 * y [M, N] (+)= x [M, K] · weight [N, K]ᵀ + bias [N], in float64. One row reads the weights' bits where they are; for
 * more it pays to decode a weight row once, as the matrix product does.
 */
export function matvecReference(buffers: ReferenceBuffers<typeof bindings>, params: ProductParams): void {
  const { M, N, K, accumulate, row: firstRow, column, bits, group } = params;
  if (M !== 1) {
    matmulReference(buffers, params);
    return;
  }
  const { x, weight, bias, y, scales } = buffers;
  const { dtype, data } = weight;
  const table = dtype === 'fp16' || dtype === 'bf16' ? decodeTable(dtype) : undefined;
  const words = data as ArrayLike<number> as Uint32Array;
  const bytes8 = bits === 8 ? new Int8Array(words.buffer, words.byteOffset, words.byteLength) : undefined;
  const bytes4 = bits === 4 ? new Uint8Array(words.buffer, words.byteOffset, words.byteLength) : undefined;
  const groupSums = bytes4 ? sumsOfGroups(x, K, group) : undefined;
  const sums = new Float64Array(GROUP);
  const last = firstRow + N - 1;
  for (let n = 0; n < N; n += GROUP) {
    // Rows past the end repeat the last one and are not stored.
    const row = firstRow + n;
    const r0 = row * K;
    const r1 = Math.min(row + 1, last) * K;
    const r2 = Math.min(row + 2, last) * K;
    const r3 = Math.min(row + 3, last) * K;
    if (bytes8) dots8(x, bytes8, scales!, K, group, r0, r1, r2, r3, sums);
    else if (bytes4) dots4(x, groupSums!, bytes4, scales!, K, group, r0, r1, r2, r3, sums);
    else if (table) dots16(x, data as Uint16Array, table, K, r0, r1, r2, r3, sums);
    else dots32(x, data as Float32Array, K, r0, r1, r2, r3, sums);
    const end = Math.min(GROUP, N - n);
    for (let at = 0; at < end; at++) {
      const place = column + n + at;
      y[place] = sums[at]! + (bias ? bias[place]! : 0) + (accumulate ? y[place]! : 0);
    }
  }
}
