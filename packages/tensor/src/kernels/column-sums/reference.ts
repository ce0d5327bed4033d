import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** y [splits, D] (+)= sums over the rows of each split of x [rows, D], in float64. */
export function columnSumsReference(
  { x, y }: ReferenceBuffers<typeof bindings>,
  { rows, D, xOffset, xStride, rowsPerSplit, yOffset, accumulate }: Readonly<Record<keyof typeof params, number>>,
): void {
  const sums = new Float64Array(D);
  for (let begin = 0, out = yOffset; begin < rows; begin += rowsPerSplit) {
    sums.fill(0);
    const end = Math.min(begin + rowsPerSplit, rows);
    for (let row = begin; row < end; row++) {
      const start = xOffset + row * xStride;
      for (let d = 0; d < D; d++) sums[d]! += x[start + d]!;
    }
    for (let d = 0; d < D; d++, out++) y[out] = sums[d]! + (accumulate ? y[out]! : 0);
  }
}
