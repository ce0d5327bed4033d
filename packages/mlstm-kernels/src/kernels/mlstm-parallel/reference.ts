import type { ReferenceBuffers } from '@xlstm/device';
import { expDown, logForgetGate, logInputGate, normalizerScale } from '../../gates.ts';
import { indexer } from '../../layout.ts';
import { statePlanes } from '../../state.ts';
import type { bindings, params } from './signature.ts';

/** h of every step from all steps so far and the initial state, quadratic in S, in float64. */
export function mlstmParallelReference(
  { q, k, v, i, f, state, h, readout }: ReferenceBuffers<typeof bindings>,
  cell: Readonly<Record<keyof typeof params, number>>,
): void {
  const { B, NH, S, DHQK, DHHV, sigmoid, normalize, eps } = cell;
  const planes = statePlanes(cell);
  const [qAt, kAt, vAt] = [indexer(cell, 'q'), indexer(cell, 'k'), indexer(cell, 'v')];
  const [iAt, fAt, hAt] = [indexer(cell, 'i'), indexer(cell, 'f'), indexer(cell, 'h')];
  const readoutAt = indexer(cell, 'readout');
  const scale = 1 / Math.sqrt(DHQK);
  const exponent = new Float64Array(S);
  const numerator = new Float64Array(DHHV);
  for (let b = 0; b < B; b++) {
    for (let head = 0; head < NH; head++) {
      const cell0 = b * NH + head;
      const initial = sigmoid ? 0 : state[planes.m + cell0]!;
      for (let j = 0; j < S; j++) {
        // D_jt = i_t + sum of logf over t+1..j, added up from j back.
        let since = 0;
        let m = Number.NEGATIVE_INFINITY;
        for (let t = j; t >= 0; t--) {
          exponent[t] = logInputGate(i[iAt(b, head, t)]!, sigmoid) + since;
          m = Math.max(m, exponent[t]!);
          since += logForgetGate(f[fAt(b, head, t)]!);
        }
        m = sigmoid ? 0 : Math.max(m, since + initial);
        if (readout) {
          // What follows is scaled by the m that is stored, which is rounded.
          readout[readoutAt(b, head, j)] = m;
          m = readout[readoutAt(b, head, j)]!;
        }
        const q0 = qAt(b, head, j);
        let denominator = 0;
        numerator.fill(0);
        const carried = expDown(since + initial - m) * scale;
        for (let d = 0; d < DHQK; d++) {
          const factor = carried * q[q0 + d]!;
          denominator += factor * state[planes.n + cell0 * DHQK + d]!;
          const row = (cell0 * DHQK + d) * DHHV;
          for (let e = 0; e < DHHV; e++) numerator[e]! += factor * state[row + e]!;
        }
        for (let t = 0; t <= j; t++) {
          const [k0, v0] = [kAt(b, head, t), vAt(b, head, t)];
          let score = 0;
          for (let d = 0; d < DHQK; d++) score += q[q0 + d]! * k[k0 + d]!;
          score *= scale * expDown(exponent[t]! - m);
          denominator += score;
          for (let e = 0; e < DHHV; e++) numerator[e]! += score * v[v0 + e]!;
        }
        if (readout) readout[cell.readout_plane + readoutAt(b, head, j)] = denominator;
        const scaleOfRow = normalizerScale(denominator, m, normalize, eps);
        const h0 = hAt(b, head, j);
        for (let e = 0; e < DHHV; e++) h[h0 + e] = numerator[e]! * scaleOfRow;
      }
    }
  }
}
