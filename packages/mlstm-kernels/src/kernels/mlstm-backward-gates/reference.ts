import type { ReferenceBuffers } from '@xlstm/device';
import { rowIndex, TILE, tilesOf } from '../../backward-rows.ts';
import { bounded } from '../../gates.ts';
import { indexer } from '../../layout.ts';
import type { bindings, params } from './signature.ts';

type Cell = Readonly<Record<keyof typeof params, number>>;

/** Adds up planes `from` to `to` of a (b, head), by step. */
function addPlanes(
  sums: Float64Array,
  planes: Float32Array,
  cell: Cell,
  cell0: number,
  from: number,
  to: number,
): void {
  for (let plane = from; plane < to; plane++) {
    const row = rowIndex(cell, plane, cell0);
    for (let s = 0; s < cell.S; s++) sums[s]! += planes[row + s]!;
  }
}

/** What reaches each step, and what each sends, without what it sends to itself. */
function passing(
  { flows, arriving, departing }: Pick<ReferenceBuffers<typeof bindings>, 'flows' | 'arriving' | 'departing'>,
  cell: Cell,
  cell0: number,
): { reaching: Float64Array; sent: Float64Array } {
  const { S, L, tiles } = cell;
  const reaching = new Float64Array(S);
  const sent = new Float64Array(S);
  addPlanes(reaching, arriving, cell, cell0, 0, tiles);
  addPlanes(sent, departing, cell, cell0, 0, tiles);
  const stepTiles = tilesOf(L);
  for (let t = 0; t < S; t++) {
    const first = t - (t % L);
    const own = Math.floor((t - first) / TILE);
    for (let tile = 0; tile <= own; tile++) reaching[t]! += flows[rowIndex(cell, tile, cell0) + t]!;
    for (let tile = own; tile < tilesOf(Math.min(L, S - first)); tile++) {
      sent[t]! += flows[rowIndex(cell, stepTiles + tile, cell0) + t]!;
    }
  }
  return { reaching, sent };
}

/** The gradient of one gate's pre-activations, in float64. */
export function mlstmBackwardGatesReference(
  { gate, flows, arriving, departing, flux, shares, gradient }: ReferenceBuffers<typeof bindings>,
  cell: Cell,
): void {
  const { B, NH, S, L, flux_tiles, forget, sigmoid, accumulate } = cell;
  const NC = Math.ceil(S / L);
  const [gateAt, gradientAt] = [indexer(cell, 'gate'), indexer(cell, 'gradient')];
  for (let b = 0; b < B; b++) {
    for (let head = 0; head < NH; head++) {
      const cell0 = b * NH + head;
      const { reaching, sent } = passing({ flows, arriving, departing }, cell, cell0);
      const own = rowIndex(cell, 2 * tilesOf(L), cell0);
      let after = 0;
      for (let t = S - 1; t >= 0; t--) {
        if (t === S - 1 || (t + 1) % L === 0) {
          // Taken anew for each chunk, so that rounding does not add up over the sequence.
          after = 0;
          const boundary = Math.floor(t / L) + 1;
          for (let tile = 0; tile < flux_tiles; tile++) after += flux[(tile * B * NH + cell0) * (NC + 1) + boundary]!;
        }
        after += reaching[t]! - sent[t]!;
        let value = (forget ? after : sent[t]! + flows[own + t]!) + shares[rowIndex(cell, forget, cell0) + t]!;
        if (forget || sigmoid) value *= 1 / (1 + Math.exp(bounded(gate[gateAt(b, head, t)]!)));
        const out = gradientAt(b, head, t);
        gradient[out] = accumulate ? gradient[out]! + value : value;
      }
    }
  }
}
