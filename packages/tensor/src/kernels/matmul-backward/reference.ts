import { decodeTable, type ReferenceBuffers, type WeightView } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** Output rows whose sums are kept at once, and rows of b that are gone through before the next output row. */
const ROW_BLOCK = 64;
const INNER_BLOCK = 32;

/** Elements `start` … `start + count` of b; views of float32, copies of anything decoded. */
function rowsOf({ dtype, data }: WeightView, start: number, count: number, decoded: Float32Array): Float32Array {
  if (dtype !== 'fp16' && dtype !== 'bf16') return data.subarray(start, start + count) as Float32Array;
  const table = decodeTable(dtype);
  const bits = data as Uint16Array;
  for (let index = 0; index < count; index++) decoded[index] = table[bits[start + index]!]!;
  return decoded;
}

/** sums [C] += a0 · row 0 + … + a3 · row 3 of four rows of b, which begin at `at`. */
function addFour(
  sums: Float64Array,
  from: number,
  rows: Float32Array,
  at: number,
  C: number,
  [a0, a1, a2, a3]: readonly [number, number, number, number],
): void {
  for (let c = 0; c < C; c++) {
    sums[from + c]! +=
      a0 * rows[at + c]! + a1 * rows[at + C + c]! + a2 * rows[at + 2 * C + c]! + a3 * rows[at + 3 * C + c]!;
  }
}

function addOne(sums: Float64Array, from: number, rows: Float32Array, at: number, C: number, a0: number): void {
  for (let c = 0; c < C; c++) sums[from + c]! += a0 * rows[at + c]!;
}

/** y [splits, R, C] (+)= a · b, or aᵀ · b, in float64. */
export function matmulBackwardReference(
  { a, b, y }: ReferenceBuffers<typeof bindings>,
  p: Readonly<Record<keyof typeof params, number>>,
): void {
  const { R, C, inner, innerPerSplit } = p;
  const [rowStep, innerStep] = p.transposed ? [1, p.aStride] : [p.aStride, 1];
  const sums = new Float64Array(ROW_BLOCK * C);
  const decoded = new Float32Array(INNER_BLOCK * C);
  for (let begin = 0, out = p.yOffset; begin < inner; begin += innerPerSplit) {
    const end = Math.min(begin + innerPerSplit, inner);
    for (let r0 = 0; r0 < R; r0 += ROW_BLOCK) {
      const count = Math.min(ROW_BLOCK, R - r0);
      sums.fill(0);
      for (let i0 = begin; i0 < end; i0 += INNER_BLOCK) {
        const last = Math.min(i0 + INNER_BLOCK, end);
        const rows = rowsOf(b, p.bOffset + i0 * C, (last - i0) * C, decoded);
        for (let r = 0; r < count; r++) {
          const start = p.aOffset + (r0 + r) * rowStep;
          const term = (i: number): number => a[start + i * innerStep]!;
          let i = i0;
          for (; i + 4 <= last; i += 4) {
            addFour(sums, r * C, rows, (i - i0) * C, C, [term(i), term(i + 1), term(i + 2), term(i + 3)]);
          }
          for (; i < last; i++) addOne(sums, r * C, rows, (i - i0) * C, C, term(i));
        }
      }
      for (let index = 0; index < count * C; index++, out++) y[out] = sums[index]! + (p.accumulate ? y[out]! : 0);
    }
  }
}
