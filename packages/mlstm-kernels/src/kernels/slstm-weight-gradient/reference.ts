import type { ReferenceBuffers } from '@xlstm/device';
import { indexer } from '../../layout.ts';
import type { bindings, params } from './signature.ts';

/** Outer products of gate gradients and the y before them, summed in float64 over each range of rows. */
export function slstmWeightGradientReference(
  { dx, y, saved, partials }: ReferenceBuffers<typeof bindings>,
  cell: Readonly<Record<keyof typeof params, number>>,
): void {
  const { B, S, NH, DH, rows, recurrent, dx_gate } = cell;
  const [dxAt, yAt] = [indexer(cell, 'dx'), indexer(cell, 'y')];
  const weights = 4 * DH * DH;
  const sums = new Float64Array(weights);
  const bias = new Float64Array(4 * DH);
  for (let head = 0; head < NH; head++) {
    for (let split = 0; split * rows < B * S; split++) {
      sums.fill(0);
      bias.fill(0);
      for (let row = split * rows; row < Math.min(B * S, (split + 1) * rows); row++) {
        const [b, s] = [Math.floor(row / S), row % S];
        const from = dxAt(b, head, s);
        const [source, before] = s === 0 ? [saved, (b * NH + head) * DH] : [y, yAt(b, head, s - 1)];
        for (let gate = 0; gate < 4; gate++) {
          for (let o = 0; o < DH; o++) {
            const gradient = dx[from + gate * dx_gate + o]!;
            bias[gate * DH + o]! += gradient;
            if (!recurrent) continue;
            const out = (gate * DH + o) * DH;
            for (let d = 0; d < DH; d++) sums[out + d]! += gradient * source[before + d]!;
          }
        }
      }
      const start = split * NH * (weights + 4 * DH);
      if (recurrent) for (let w = 0; w < weights; w++) partials[start + head * weights + w] = sums[w]!;
      for (let gate = 0; gate < 4; gate++) {
        const out = start + NH * weights + (gate * NH + head) * DH;
        for (let o = 0; o < DH; o++) partials[out + o] = bias[gate * DH + o]!;
      }
    }
  }
}
