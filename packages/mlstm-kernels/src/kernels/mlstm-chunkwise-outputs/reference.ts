import type { ReferenceBuffers } from '@xlstm/device';
import { expDown, logForgetGate, logInputGate, normalizerScale } from '../../gates.ts';
import { indexer } from '../../layout.ts';
import { statePlanes } from '../../state.ts';
import type { bindings, params } from './signature.ts';

type Cell = Readonly<Record<keyof typeof params, number>>;

/** h of every step from its chunk's steps so far and the state that the chunk was entered with, in float64. */
export function mlstmChunkwiseOutputsReference(
  { q, k, v, i, f, entering, h, readout }: ReferenceBuffers<typeof bindings>,
  cell: Cell,
): void {
  const { B, NH, S, DHQK, DHHV, L, sigmoid, normalize, eps } = cell;
  const NC = Math.ceil(S / L);
  const planes = statePlanes(cell);
  const [qAt, kAt, vAt] = [indexer(cell, 'q'), indexer(cell, 'k'), indexer(cell, 'v')];
  const [iAt, fAt, hAt] = [indexer(cell, 'i'), indexer(cell, 'f'), indexer(cell, 'h')];
  const readoutAt = indexer(cell, 'readout');
  const scale = 1 / Math.sqrt(DHQK);
  const logForget = new Float64Array(L);
  const logInput = new Float64Array(L);
  const exponent = new Float64Array(L);
  const query = new Float64Array(DHQK);
  const numerator = new Float64Array(DHHV);
  for (let b = 0; b < B; b++) {
    for (let head = 0; head < NH; head++) {
      for (let chunk = 0; chunk < NC; chunk++) {
        const first = chunk * L;
        const steps = Math.min(L, S - first);
        const place = (b * NH + head) * NC + chunk;
        const nStart = planes.n * NC + place * DHQK;
        const mEntering = sigmoid ? 0 : entering[planes.m * NC + place]!;
        for (let t = 0; t < steps; t++) {
          logForget[t] = logForgetGate(f[fAt(b, head, first + t)]!);
          logInput[t] = logInputGate(i[iAt(b, head, first + t)]!, sigmoid);
        }
        for (let j = 0; j < steps; j++) {
          // D_jt = i_t + sum of logf over t+1..j, added up from j back; what is left at the start is b_j.
          let since = 0;
          let m = Number.NEGATIVE_INFINITY;
          for (let t = j; t >= 0; t--) {
            exponent[t] = logInput[t]! + since;
            m = Math.max(m, exponent[t]!);
            since += logForget[t]!;
          }
          m = sigmoid ? 0 : Math.max(m, since + mEntering);
          if (readout) {
            // What follows is scaled by the m that is stored, which is rounded.
            readout[readoutAt(b, head, first + j)] = m;
            m = readout[readoutAt(b, head, first + j)]!;
          }
          const q0 = qAt(b, head, first + j);
          for (let d = 0; d < DHQK; d++) query[d] = q[q0 + d]! * scale;
          const carried = expDown(since + mEntering - m);
          let denominator = 0;
          numerator.fill(0);
          for (let d = 0; d < DHQK; d++) {
            const factor = carried * query[d]!;
            denominator += factor * entering[nStart + d]!;
            const row = (place * DHQK + d) * DHHV;
            for (let e = 0; e < DHHV; e++) numerator[e]! += factor * entering[row + e]!;
          }
          for (let t = 0; t <= j; t++) {
            const k0 = kAt(b, head, first + t);
            const v0 = vAt(b, head, first + t);
            let score = 0;
            for (let d = 0; d < DHQK; d++) score += query[d]! * k[k0 + d]!;
            score *= expDown(exponent[t]! - m);
            denominator += score;
            for (let e = 0; e < DHHV; e++) numerator[e]! += score * v[v0 + e]!;
          }
          if (readout) readout[cell.readout_plane + readoutAt(b, head, first + j)] = denominator;
          const scaleOfRow = normalizerScale(denominator, m, normalize, eps);
          const h0 = hAt(b, head, first + j);
          for (let e = 0; e < DHHV; e++) h[h0 + e] = numerator[e]! * scaleOfRow;
        }
      }
    }
  }
}
