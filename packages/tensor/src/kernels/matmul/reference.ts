import { decodeTable, type ReferenceBuffers, type WeightView } from '@xlstm/device';
import { decodeCodes } from './decode-codes.ts';
import type { bindings, params } from './signature.ts';

/** Weight rows taken at once: each is decoded once, for all rows of x. */
const GROUP = 4;

/** The weights' elements from `start` on, `count` of them, as float32 at the beginning of `target`. */
function decodeRows(
  { dtype, data }: WeightView,
  quantization: { scales: Uint16Array | undefined; bits: number; group: number },
  start: number,
  count: number,
  target: Float32Array,
): void {
  const { scales, bits: codeBits, group } = quantization;
  if (dtype === 'u32' && scales) {
    decodeCodes(data as ArrayLike<number> as Uint32Array, scales, codeBits, group, start, count, target);
    return;
  }
  if (dtype !== 'fp16' && dtype !== 'bf16') {
    target.set(data.subarray(start, start + count) as Float32Array);
    return;
  }
  const table = decodeTable(dtype);
  const bits = data as Uint16Array;
  for (let index = 0; index < count; index++) target[index] = table[bits[start + index]!]!;
}

/**
 * The 2 x 4 dot products of two rows of x, which begin at `first` and `second`, with four weight rows.
 * Eight running sums keep the adder busy, where one would wait for itself.
 */
function tileSums(
  x: Float32Array,
  first: number,
  second: number,
  rows: Float32Array,
  K: number,
  sums: Float64Array,
): void {
  let a0 = 0;
  let a1 = 0;
  let a2 = 0;
  let a3 = 0;
  let b0 = 0;
  let b1 = 0;
  let b2 = 0;
  let b3 = 0;
  for (let k = 0; k < K; k++) {
    const a = x[first + k]!;
    const b = x[second + k]!;
    const w0 = rows[k]!;
    const w1 = rows[K + k]!;
    const w2 = rows[2 * K + k]!;
    const w3 = rows[3 * K + k]!;
    a0 += a * w0;
    a1 += a * w1;
    a2 += a * w2;
    a3 += a * w3;
    b0 += b * w0;
    b1 += b * w1;
    b2 += b * w2;
    b3 += b * w3;
  }
  sums[0] = a0;
  sums[1] = a1;
  sums[2] = a2;
  sums[3] = a3;
  sums[4] = b0;
  sums[5] = b1;
  sums[6] = b2;
  sums[7] = b3;
}

/** The parameters of a product, as its reference takes them. */
export type ProductParams = Readonly<Record<keyof typeof params, number>>;

/** y [M, N] (+)= x [M, K] · weight [N, K]ᵀ + bias [N], in float64. */
export function matmulReference(
  { x, weight, bias, y, scales }: ReferenceBuffers<typeof bindings>,
  { M, N, K, accumulate, row: firstRow, column: firstColumn, stride, bits, group }: ProductParams,
): void {
  const rows = new Float32Array(GROUP * K);
  const sums = new Float64Array(2 * GROUP);
  const quantization = { scales, bits, group };
  for (let n = 0; n < N; n += GROUP) {
    const count = Math.min(GROUP, N - n);
    decodeRows(weight, quantization, (firstRow + n) * K, count * K, rows);
    for (let m = 0; m < M; m += 2) {
      const pair = Math.min(2, M - m);
      tileSums(x, m * K, (m + pair - 1) * K, rows, K, sums);
      for (let row = 0; row < pair; row++) {
        for (let column = 0; column < count; column++) {
          const place = firstColumn + n + column;
          const at = (m + row) * stride + place;
          y[at] = sums[row * GROUP + column]! + (bias ? bias[place]! : 0) + (accumulate ? y[at]! : 0);
        }
      }
    }
  }
}
