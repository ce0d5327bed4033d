import type { ReferenceBuffers } from '@xlstm/device';
import { logForgetGate, logInputGate, normalizerScale } from '../../gates.ts';
import { indexer } from '../../layout.ts';
import { statePlanes } from '../../state.ts';
import type { bindings, params } from './signature.ts';

/** S steps of every head, in float64 but for C, which is kept in the state buffer; n and m are only advanced with `arrivals`. */
export function mlstmStepReference(
  { q, k, v, i, f, state, h, arrivals }: ReferenceBuffers<typeof bindings>,
  cell: Readonly<Record<keyof typeof params, number>>,
): void {
  const { B, NH, S, DHQK, DHHV, sigmoid, normalize, eps } = cell;
  const planes = statePlanes(cell);
  const [qAt, kAt, vAt] = [indexer(cell, 'q'), indexer(cell, 'k'), indexer(cell, 'v')];
  const [iAt, fAt, hAt] = [indexer(cell, 'i'), indexer(cell, 'f'), indexer(cell, 'h')];
  const numerator = new Float64Array(DHHV);
  const scale = 1 / Math.sqrt(DHQK);
  for (let b = 0; b < B; b++) {
    for (let head = 0; head < NH; head++) {
      const cell0 = b * NH + head;
      const n = Float64Array.from(state.subarray(planes.n + cell0 * DHQK, planes.n + (cell0 + 1) * DHQK));
      let m = sigmoid ? 0 : state[planes.m + cell0]!;
      for (let s = 0; s < S; s++) {
        const logForget = logForgetGate(f[fAt(b, head, s)]!);
        const logInput = logInputGate(i[iAt(b, head, s)]!, sigmoid);
        const entering = m;
        m = sigmoid ? 0 : Math.max(logForget + m, logInput);
        const decay = Math.exp(logForget + entering - m);
        const input = Math.exp(logInput - m);
        const [q0, k0, v0, h0] = [qAt(b, head, s), kAt(b, head, s), vAt(b, head, s), hAt(b, head, s)];
        let denominator = 0;
        numerator.fill(0);
        for (let d = 0; d < DHQK; d++) {
          const query = q[q0 + d]! * scale;
          const key = input * k[k0 + d]!;
          n[d] = decay * n[d]! + key;
          denominator += n[d]! * query;
          const row = (cell0 * DHQK + d) * DHHV;
          for (let e = 0; e < DHHV; e++) {
            const value = decay * state[row + e]! + key * v[v0 + e]!;
            state[row + e] = value;
            numerator[e]! += value * query;
          }
        }
        const readout = normalizerScale(denominator, m, normalize, eps);
        for (let e = 0; e < DHHV; e++) h[h0 + e] = numerator[e]! * readout;
      }
      if (arrivals) {
        state.set(n, planes.n + cell0 * DHQK);
        state[planes.m + cell0] = m;
      }
    }
  }
}
