import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** partials [part, 0 | 1, NH*DH] = the sums of du·n and of du over the part's rows, in float64. */
export function normWeightBackwardReference(
  { x, gate, dy, stats, partials }: ReferenceBuffers<typeof bindings>,
  { rows, NH, DH, chunk, gateOffset, gateStride }: Readonly<Record<keyof typeof params, number>>,
): void {
  const D = NH * DH;
  for (let first = 0, part = 0; first < rows; first += chunk, part++) {
    const sums = new Float64Array(2 * D);
    for (let row = first; row < Math.min(rows, first + chunk); row++) {
      for (let head = 0; head < NH; head++) {
        const mean = stats[2 * (row * NH + head)]!;
        const scale = stats[2 * (row * NH + head) + 1]!;
        for (let column = head * DH; column < (head + 1) * DH; column++) {
          let du = dy[row * D + column]!;
          if (gate) du /= 1 + Math.exp(-gate[gateOffset + row * gateStride + column]!);
          sums[column]! += du * (x[row * D + column]! - mean) * scale;
          sums[D + column]! += du;
        }
      }
    }
    partials.set(sums, 2 * D * part);
  }
}
