import type { ReferenceBuffers } from '@xlstm/device';
import { expDown, logForgetGate, logInputGate } from '../../gates.ts';
import { indexer } from '../../layout.ts';
import { statePlanes } from '../../state.ts';
import type { bindings, params } from './signature.ts';

type Cell = Readonly<Record<keyof typeof params, number>>;

/** The state that every chunk is entered with, and the last one; running state in float64. */
export function mlstmChunkwiseStatesReference(
  { k, v, i, f, initial, entering, last }: ReferenceBuffers<typeof bindings>,
  cell: Cell,
): void {
  const { B, NH, S, DHQK, DHHV, L, sigmoid } = cell;
  const NC = Math.ceil(S / L);
  const planes = statePlanes(cell);
  const [kAt, vAt, iAt, fAt] = [indexer(cell, 'k'), indexer(cell, 'v'), indexer(cell, 'i'), indexer(cell, 'f')];
  const C = new Float64Array(DHQK * DHHV);
  const n = new Float64Array(DHQK);
  const logWeight = new Float64Array(L);
  for (let b = 0; b < B; b++) {
    for (let head = 0; head < NH; head++) {
      const cell0 = b * NH + head;
      C.set(initial.subarray(cell0 * C.length, (cell0 + 1) * C.length));
      n.set(initial.subarray(planes.n + cell0 * DHQK, planes.n + (cell0 + 1) * DHQK));
      let m = sigmoid ? 0 : initial[planes.m + cell0]!;
      for (let chunk = 0; chunk < NC; chunk++) {
        if (entering) {
          const place = cell0 * NC + chunk;
          entering.set(C, place * C.length);
          entering.set(n, planes.n * NC + place * DHQK);
          entering[planes.m * NC + place] = m;
        }
        const first = chunk * L;
        const steps = Math.min(L, S - first);
        // a_t = i_t + sum of logf after t, added up from the chunk's end; what remains at its start is g.
        let after = 0;
        let strongest = Number.NEGATIVE_INFINITY;
        for (let t = steps - 1; t >= 0; t--) {
          logWeight[t] = logInputGate(i[iAt(b, head, first + t)]!, sigmoid) + after;
          strongest = Math.max(strongest, logWeight[t]!);
          after += logForgetGate(f[fAt(b, head, first + t)]!);
        }
        // C and n are scaled by the m that is stored, which is rounded.
        last[planes.m + cell0] = sigmoid ? 0 : Math.max(after + m, strongest);
        const leaving = last[planes.m + cell0]!;
        const decay = expDown(after + m - leaving);
        for (let place = 0; place < C.length; place++) C[place]! *= decay;
        for (let d = 0; d < DHQK; d++) n[d]! *= decay;
        for (let t = 0; t < steps; t++) {
          const weight = expDown(logWeight[t]! - leaving);
          const k0 = kAt(b, head, first + t);
          const v0 = vAt(b, head, first + t);
          for (let d = 0; d < DHQK; d++) {
            const key = weight * k[k0 + d]!;
            n[d]! += key;
            const row = d * DHHV;
            for (let e = 0; e < DHHV; e++) C[row + e]! += key * v[v0 + e]!;
          }
        }
        m = leaving;
      }
      last.set(C, cell0 * C.length);
      last.set(n, planes.n + cell0 * DHQK);
    }
  }
}
