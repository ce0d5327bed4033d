import type { ReferenceBuffers } from '@xlstm/device';
import {
  CARRIED,
  DECAY,
  DENOMINATOR,
  INVERSE,
  LOG_FORGET,
  LOG_INPUT,
  PULL,
  rowIndex,
  STABILIZER,
  STARTS,
  WEIGHT,
} from '../../backward-rows.ts';
import { expDown, logForgetGate, logInputGate } from '../../gates.ts';
import { indexer } from '../../layout.ts';
import type { bindings, params } from './signature.ts';

type Cell = Readonly<Record<keyof typeof params, number>>;

/** 1/N and the gradient of the denominator, given den, m and dhᵀh. */
function normalizer(denominator: number, m: number, dot: number, { normalize, eps }: Cell): [number, number] {
  if (!normalize) return [1, 0];
  const floor = Math.exp(-m);
  const inverse = 1 / (Math.max(Math.abs(denominator), floor) + eps);
  // The other way round, a NaN would pass for a denominator that does not matter.
  return [inverse, Math.abs(denominator) <= floor ? 0 : -Math.sign(denominator) * dot * inverse];
}

/** Gates, readout and the weights of the chunks' edges by step, in float64. */
export function mlstmBackwardRowsReference(
  { f, i, h, dh, readout, entering, last, rows }: ReferenceBuffers<typeof bindings>,
  cell: Cell,
): void {
  const { B, NH, S, DHQK, DHHV, L, sigmoid } = cell;
  const NC = Math.ceil(S / L);
  const state = DHQK * (DHHV + 1);
  const [fAt, iAt, hAt] = [indexer(cell, 'f'), indexer(cell, 'i'), indexer(cell, 'h')];
  const [dhAt, readoutAt] = [indexer(cell, 'dh'), indexer(cell, 'readout')];
  for (let b = 0; b < B; b++) {
    for (let head = 0; head < NH; head++) {
      const cell0 = b * NH + head;
      const plane = (index: number) => rowIndex(cell, index, cell0);
      for (let chunk = 0; chunk < NC; chunk++) {
        const entry = cell0 * NC + chunk;
        const first = chunk * L;
        const end = Math.min(first + L, S);
        const next = chunk + 1 < NC ? entering[B * NH * NC * state + entry + 1]! : last[B * NH * state + cell0]!;
        const mEntering = sigmoid ? 0 : entering[B * NH * NC * state + entry]!;
        const mLeaving = sigmoid ? 0 : next;
        let before = 0;
        let mBefore = mEntering;
        for (let j = first; j < end; j++) {
          const logForget = logForgetGate(f[fAt(b, head, j)]!);
          before += logForget;
          const m = sigmoid ? 0 : readout[readoutAt(b, head, j)]!;
          const [h0, dh0] = [hAt(b, head, j), dhAt(b, head, j)];
          let dot = 0;
          for (let e = 0; e < DHHV; e++) dot += h[h0 + e]! * dh[dh0 + e]!;
          const denominator = readout[cell.readout_plane + readoutAt(b, head, j)]!;
          const [inverse, gradient] = normalizer(denominator, m, dot, cell);
          rows[plane(LOG_FORGET) + j] = logForget;
          const logInput = logInputGate(i[iAt(b, head, j)]!, sigmoid);
          rows[plane(LOG_INPUT) + j] = logInput;
          rows[plane(PULL) + j] = sigmoid ? 0 : -cell.eps * dot * inverse;
          rows[plane(STARTS) + j] = logForget + mBefore > logInput ? 0 : 1;
          mBefore = m;
          rows[plane(STABILIZER) + j] = m;
          rows[plane(INVERSE) + j] = inverse;
          rows[plane(DENOMINATOR) + j] = gradient;
          rows[plane(CARRIED) + j] = expDown(before + mEntering - m);
        }
        rows[DECAY * B * NH * S + entry] = expDown(before + mEntering - mLeaving);
        let after = 0;
        for (let t = end - 1; t >= first; t--) {
          rows[plane(WEIGHT) + t] = expDown(logInputGate(i[iAt(b, head, t)]!, sigmoid) + after - mLeaving);
          after += logForgetGate(f[fAt(b, head, t)]!);
        }
      }
    }
  }
}
