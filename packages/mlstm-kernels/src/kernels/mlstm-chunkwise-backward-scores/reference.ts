import type { ReferenceBuffers } from '@xlstm/device';
import {
  DENOMINATOR,
  INVERSE,
  LOG_FORGET,
  LOG_INPUT,
  rowIndex,
  STABILIZER,
  TILE,
  tilesOf,
} from '../../backward-rows.ts';
import { expDown } from '../../gates.ts';
import { indexer } from '../../layout.ts';
import type { bindings, params } from './signature.ts';

/** S, G and F of each step against the steps of its chunk so far, in float64. */
export function mlstmChunkwiseBackwardScoresReference(
  { q, k, v, dh, rows, scores, flows }: ReferenceBuffers<typeof bindings>,
  cell: Readonly<Record<keyof typeof params, number>>,
): void {
  const { B, NH, S, DHQK, DHHV, L } = cell;
  const NC = Math.ceil(S / L);
  const [qAt, kAt] = [indexer(cell, 'q'), indexer(cell, 'k')];
  const [vAt, dhAt] = [indexer(cell, 'v'), indexer(cell, 'dh')];
  const scale = 1 / Math.sqrt(DHQK);
  const gradientPlane = B * NH * NC * L * L;
  const tiles = tilesOf(L);
  // Sums over tiles by (b, head), put where they belong at its end.
  const reaching = new Float64Array(tiles * S);
  const sent = new Float64Array(tiles * S);
  for (let b = 0; b < B; b++) {
    for (let head = 0; head < NH; head++) {
      const cell0 = b * NH + head;
      const plane = (index: number) => rowIndex(cell, index, cell0);
      reaching.fill(0);
      sent.fill(0);
      for (let j = 0; j < S; j++) {
        const first = j - (j % L);
        const m = rows[plane(STABILIZER) + j]!;
        const inverse = rows[plane(INVERSE) + j]!;
        const denominator = rows[plane(DENOMINATOR) + j]!;
        const [q0, dh0] = [qAt(b, head, j), dhAt(b, head, j)];
        const row = ((cell0 * NC + first / L) * L + (j - first)) * L;
        // D_jt, added up from j back.
        let since = 0;
        for (let t = j; t >= first; t--) {
          const [k0, v0] = [kAt(b, head, t), vAt(b, head, t)];
          let score = 0;
          for (let d = 0; d < DHQK; d++) score += q[q0 + d]! * k[k0 + d]!;
          let gradient = 0;
          for (let e = 0; e < DHHV; e++) gradient += dh[dh0 + e]! * v[v0 + e]!;
          const factor = expDown(rows[plane(LOG_INPUT) + t]! + since - m);
          const whole = gradient * inverse + denominator;
          scores[row + t - first] = score * scale * factor;
          scores[gradientPlane + row + t - first] = whole * factor;
          const passing = score * scale * factor * whole;
          if (t < j) {
            reaching[Math.floor((t - first) / TILE) * S + j]! += passing;
            sent[Math.floor((j - first) / TILE) * S + t]! += passing;
          } else flows[rowIndex(cell, 2 * tiles, cell0) + t] = passing;
          since += rows[plane(LOG_FORGET) + t]!;
        }
      }
      for (let tile = 0; tile < tiles; tile++) {
        flows.set(reaching.subarray(tile * S, (tile + 1) * S), rowIndex(cell, tile, cell0));
        flows.set(sent.subarray(tile * S, (tile + 1) * S), rowIndex(cell, tiles + tile, cell0));
      }
    }
  }
}
