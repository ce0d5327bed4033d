import type { ReferenceBuffers } from '@xlstm/device';
import { CARRIED, DENOMINATOR, INVERSE, rowIndex, TILE } from '../../backward-rows.ts';
import { indexer } from '../../layout.ts';
import { statePlanes } from '../../state.ts';
import type { bindings, params } from './signature.ts';

/** dq of every step from its chunk's steps so far and the state that the chunk was entered with, in float64. */
export function mlstmChunkwiseBackwardQueriesReference(
  { q, k, dh, rows, entering, scores, gradient, arriving }: ReferenceBuffers<typeof bindings>,
  cell: Readonly<Record<keyof typeof params, number>>,
): void {
  const { B, NH, S, DHQK, DHHV, L, accumulate } = cell;
  const NC = Math.ceil(S / L);
  const planes = statePlanes(cell);
  const [qAt, kAt] = [indexer(cell, 'q'), indexer(cell, 'k')];
  const [dhAt, gradientAt] = [indexer(cell, 'dh'), indexer(cell, 'gradient')];
  const scale = 1 / Math.sqrt(DHQK);
  const gradientPlane = B * NH * NC * L * L;
  const sums = new Float64Array(DHQK);
  for (let b = 0; b < B; b++) {
    for (let head = 0; head < NH; head++) {
      const cell0 = b * NH + head;
      const plane = (index: number) => rowIndex(cell, index, cell0);
      for (let j = 0; j < S; j++) {
        const first = j - (j % L);
        const entry = cell0 * NC + first / L;
        const carried = rows[plane(CARRIED) + j]!;
        const inverse = carried * rows[plane(INVERSE) + j]!;
        const denominator = carried * rows[plane(DENOMINATOR) + j]!;
        const dh0 = dhAt(b, head, j);
        for (let d = 0; d < DHQK; d++) {
          const row = (entry * DHQK + d) * DHHV;
          let sum = 0;
          for (let e = 0; e < DHHV; e++) sum += entering[row + e]! * dh[dh0 + e]!;
          sums[d] = inverse * sum + denominator * entering[planes.n * NC + entry * DHQK + d]!;
        }
        const q0 = qAt(b, head, j);
        for (let start = 0; start < DHQK; start += TILE) {
          let dot = 0;
          for (let d = start; d < Math.min(start + TILE, DHQK); d++) dot += q[q0 + d]! * sums[d]!;
          arriving[rowIndex(cell, start / TILE, cell0) + j] = dot * scale;
        }
        const row = gradientPlane + (entry * L + (j - first)) * L;
        for (let t = first; t <= j; t++) {
          const weight = scores[row + t - first]!;
          const k0 = kAt(b, head, t);
          for (let d = 0; d < DHQK; d++) sums[d]! += weight * k[k0 + d]!;
        }
        const out = gradientAt(b, head, j);
        for (let d = 0; d < DHQK; d++) {
          const value = sums[d]! * scale;
          gradient[out + d] = accumulate ? gradient[out + d]! + value : value;
        }
      }
    }
  }
}
