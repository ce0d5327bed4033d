import type { ReferenceBuffers } from '@xlstm/device';
import { rowIndex, TILE, WEIGHT } from '../../backward-rows.ts';
import { indexer } from '../../layout.ts';
import { statePlanes } from '../../state.ts';
import type { bindings, params } from './signature.ts';

/** dk of every step from its chunk's later steps and the gradient of the state that the chunk leaves, in float64. */
export function mlstmChunkwiseBackwardKeysReference(
  { q, k, v, rows, leaving, scores, gradient, departing }: ReferenceBuffers<typeof bindings>,
  cell: Readonly<Record<keyof typeof params, number>>,
): void {
  const { B, NH, S, DHQK, DHHV, L, accumulate } = cell;
  const NC = Math.ceil(S / L);
  const planes = statePlanes(cell);
  const [qAt, kAt] = [indexer(cell, 'q'), indexer(cell, 'k')];
  const [vAt, gradientAt] = [indexer(cell, 'v'), indexer(cell, 'gradient')];
  const scale = 1 / Math.sqrt(DHQK);
  const gradientPlane = B * NH * NC * L * L;
  const sums = new Float64Array(DHQK);
  for (let b = 0; b < B; b++) {
    for (let head = 0; head < NH; head++) {
      const cell0 = b * NH + head;
      for (let t = 0; t < S; t++) {
        const first = t - (t % L);
        const entry = cell0 * NC + first / L;
        const toState = rows[rowIndex(cell, WEIGHT, cell0) + t]!;
        const v0 = vAt(b, head, t);
        for (let d = 0; d < DHQK; d++) {
          const row = (entry * DHQK + d) * DHHV;
          let sum = leaving[planes.n * NC + entry * DHQK + d]!;
          for (let e = 0; e < DHHV; e++) sum += leaving[row + e]! * v[v0 + e]!;
          sums[d] = toState * sum;
        }
        const k0 = kAt(b, head, t);
        for (let start = 0; start < DHQK; start += TILE) {
          let dot = 0;
          for (let d = start; d < Math.min(start + TILE, DHQK); d++) dot += k[k0 + d]! * sums[d]!;
          departing[rowIndex(cell, start / TILE, cell0) + t] = dot;
        }
        for (let j = t; j < Math.min(first + L, S); j++) {
          const weight = scale * scores[gradientPlane + (entry * L + (j - first)) * L + t - first]!;
          const q0 = qAt(b, head, j);
          for (let d = 0; d < DHQK; d++) sums[d]! += weight * q[q0 + d]!;
        }
        const out = gradientAt(b, head, t);
        for (let d = 0; d < DHQK; d++) {
          const value = sums[d]!;
          gradient[out + d] = accumulate ? gradient[out + d]! + value : value;
        }
      }
    }
  }
}
