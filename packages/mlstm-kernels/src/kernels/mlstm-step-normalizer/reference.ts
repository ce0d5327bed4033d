import type { ReferenceBuffers } from '@xlstm/device';
import { logForgetGate, logInputGate } from '../../gates.ts';
import { indexer } from '../../layout.ts';
import { statePlanes } from '../../state.ts';
import type { bindings, params } from './signature.ts';

/** n' = exp(logf + m − m')·n + exp(i − m')·k and m' = max(logf + m, i), S times. */
export function mlstmStepNormalizerReference(
  { k, i, f, state }: ReferenceBuffers<typeof bindings>,
  cell: Readonly<Record<keyof typeof params, number>>,
): void {
  const { B, NH, S, DHQK, sigmoid } = cell;
  const planes = statePlanes(cell);
  const [kAt, iAt, fAt] = [indexer(cell, 'k'), indexer(cell, 'i'), indexer(cell, 'f')];
  const n = new Float64Array(DHQK);
  for (let b = 0; b < B; b++) {
    for (let head = 0; head < NH; head++) {
      const nStart = planes.n + (b * NH + head) * DHQK;
      const mPlace = planes.m + b * NH + head;
      n.set(state.subarray(nStart, nStart + DHQK));
      let m = sigmoid ? 0 : state[mPlace]!;
      for (let s = 0; s < S; s++) {
        const logForget = logForgetGate(f[fAt(b, head, s)]!);
        const logInput = logInputGate(i[iAt(b, head, s)]!, sigmoid);
        const entering = m;
        m = sigmoid ? 0 : Math.max(logForget + m, logInput);
        const decay = Math.exp(logForget + entering - m);
        const input = Math.exp(logInput - m);
        const k0 = kAt(b, head, s);
        for (let d = 0; d < DHQK; d++) n[d] = decay * n[d]! + input * k[k0 + d]!;
      }
      state.set(n, nStart);
      state[mPlace] = m;
    }
  }
}
