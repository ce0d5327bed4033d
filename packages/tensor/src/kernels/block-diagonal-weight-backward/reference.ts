import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** partials [part, NB*DO*DI + NB*DO] = the sums of dy · x and of dy over the part's rows, in float64. */
export function blockDiagonalWeightBackwardReference(
  { x, dy, partials }: ReferenceBuffers<typeof bindings>,
  p: Readonly<Record<keyof typeof params, number>>,
): void {
  const { rows, NB, DI, DO, chunk } = p;
  const weights = NB * DO * DI;
  for (let first = 0, part = 0; first < rows; first += chunk, part++) {
    const sums = new Float64Array(weights + NB * DO);
    for (let row = first; row < Math.min(rows, first + chunk); row++) {
      for (let column = 0; column < NB * DO; column++) {
        const gradient = dy[p.dyOffset + row * p.dyStride + column]!;
        const xStart = p.xOffset + row * p.xStride + Math.floor(column / DO) * DI;
        for (let i = 0; i < DI; i++) sums[column * DI + i]! += gradient * x[xStart + i]!;
        sums[weights + column]! += gradient;
      }
    }
    partials.set(sums, part * sums.length);
  }
}
