import type { ReferenceBuffers } from '@xlstm/device';
import { rowIndex } from '../../backward-rows.ts';
import { bounded } from '../../gates.ts';
import { indexer } from '../../layout.ts';
import type { bindings, params } from './signature.ts';

type Cell = Readonly<Record<keyof typeof params, number>>;

/** The sums over tiles of the products of a (b, head), by step. */
function sumTiles(dots: Float32Array, cell: Cell, cell0: number): Float64Array {
  const sums = new Float64Array(cell.S);
  for (let tile = 0; tile < cell.tiles; tile++) {
    const row = rowIndex(cell, tile, cell0);
    for (let s = 0; s < cell.S; s++) sums[s]! += dots[row + s]!;
  }
  return sums;
}

/** The gradient of one gate's pre-activations, in float64. */
export function mlstmBackwardGatesReference(
  { gate, query_dots, key_dots, flux, shares, gradient }: ReferenceBuffers<typeof bindings>,
  cell: Cell,
): void {
  const { B, NH, S, L, flux_tiles, forget, sigmoid, accumulate } = cell;
  const NC = Math.ceil(S / L);
  const [gateAt, gradientAt] = [indexer(cell, 'gate'), indexer(cell, 'gradient')];
  for (let b = 0; b < B; b++) {
    for (let head = 0; head < NH; head++) {
      const cell0 = b * NH + head;
      const queries = sumTiles(query_dots, cell, cell0);
      const keys = sumTiles(key_dots, cell, cell0);
      let after = 0;
      for (let t = S - 1; t >= 0; t--) {
        if (t === S - 1 || (t + 1) % L === 0) {
          // Taken anew for each chunk, so that rounding does not add up over the sequence.
          after = 0;
          const boundary = Math.floor(t / L) + 1;
          for (let tile = 0; tile < flux_tiles; tile++) after += flux[(tile * B * NH + cell0) * (NC + 1) + boundary]!;
        }
        after += queries[t]! - keys[t]!;
        let value = (forget ? after : keys[t]!) + shares[rowIndex(cell, forget, cell0) + t]!;
        if (forget || sigmoid) value *= 1 / (1 + Math.exp(bounded(gate[gateAt(b, head, t)]!)));
        const out = gradientAt(b, head, t);
        gradient[out] = accumulate ? gradient[out]! + value : value;
      }
    }
  }
}
