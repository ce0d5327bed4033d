import type { ReferenceBuffers } from '@xlstm/device';
import { INVERSE, rowIndex, WEIGHT } from '../../backward-rows.ts';
import { indexer } from '../../layout.ts';
import type { bindings, params } from './signature.ts';

/** dv of every step from its chunk's later steps and the gradient of the state that the chunk leaves, in float64. */
export function mlstmChunkwiseBackwardValuesReference(
  { k, dh, rows, leaving, scores, gradient }: ReferenceBuffers<typeof bindings>,
  cell: Readonly<Record<keyof typeof params, number>>,
): void {
  const { B, NH, S, DHQK, DHHV, L, accumulate } = cell;
  const NC = Math.ceil(S / L);
  const [kAt, dhAt, gradientAt] = [indexer(cell, 'k'), indexer(cell, 'dh'), indexer(cell, 'gradient')];
  const sums = new Float64Array(DHHV);
  for (let b = 0; b < B; b++) {
    for (let head = 0; head < NH; head++) {
      const cell0 = b * NH + head;
      for (let t = 0; t < S; t++) {
        const first = t - (t % L);
        const entry = cell0 * NC + first / L;
        const toState = rows[rowIndex(cell, WEIGHT, cell0) + t]!;
        const k0 = kAt(b, head, t);
        sums.fill(0);
        for (let d = 0; d < DHQK; d++) {
          const key = toState * k[k0 + d]!;
          const row = (entry * DHQK + d) * DHHV;
          for (let e = 0; e < DHHV; e++) sums[e]! += key * leaving[row + e]!;
        }
        for (let j = t; j < Math.min(first + L, S); j++) {
          const inverse = rows[rowIndex(cell, INVERSE, cell0) + j]!;
          const weight = inverse * scores[(entry * L + (j - first)) * L + t - first]!;
          const dh0 = dhAt(b, head, j);
          for (let e = 0; e < DHHV; e++) sums[e]! += weight * dh[dh0 + e]!;
        }
        const out = gradientAt(b, head, t);
        for (let e = 0; e < DHHV; e++) gradient[out + e] = accumulate ? gradient[out + e]! + sums[e]! : sums[e]!;
      }
    }
  }
}
