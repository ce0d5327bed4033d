import { decodeTable, type ReferenceBuffers } from '@xlstm/device';
import { matmulReference } from '../matmul/reference.ts';
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
export function matvecReference(
  buffers: ReferenceBuffers<typeof bindings>,
  params: { M: number; N: number; K: number; accumulate: number },
): void {
  const { M, N, K, accumulate } = params;
  if (M !== 1) {
    matmulReference(buffers, params);
    return;
  }
  const { x, weight, bias, y } = buffers;
  const { dtype, data } = weight;
  const table = dtype === 'fp16' || dtype === 'bf16' ? decodeTable(dtype) : undefined;
  const sums = new Float64Array(GROUP);
  const last = (N - 1) * K;
  for (let n = 0; n < N; n += GROUP) {
    // Rows past the end repeat the last one and are not stored.
    const r0 = n * K;
    const r1 = Math.min(r0 + K, last);
    const r2 = Math.min(r0 + 2 * K, last);
    const r3 = Math.min(r0 + 3 * K, last);
    if (table) dots16(x, data as Uint16Array, table, K, r0, r1, r2, r3, sums);
    else dots32(x, data as Float32Array, K, r0, r1, r2, r3, sums);
    const end = Math.min(n + GROUP, N);
    for (let row = n; row < end; row++) {
      y[row] = sums[row - n]! + (bias ? bias[row]! : 0) + (accumulate ? y[row]! : 0);
    }
  }
}
