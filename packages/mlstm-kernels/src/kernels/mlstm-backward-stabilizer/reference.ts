import type { ReferenceBuffers } from '@xlstm/device';
import { PULL, rowIndex, STARTS } from '../../backward-rows.ts';
import { statePlanes } from '../../state.ts';
import type { bindings, params } from './signature.ts';

/** What reaches each gate through the stabiliser, in float64. */
export function mlstmBackwardStabilizerReference(
  { rows, flux, carry, shares }: ReferenceBuffers<typeof bindings>,
  cell: Readonly<Record<keyof typeof params, number>>,
): void {
  const { B, NH, S, L, flux_tiles, whole, sigmoid } = cell;
  const NC = Math.ceil(S / L);
  const planes = statePlanes(cell);
  for (let cell0 = 0; cell0 < B * NH; cell0++) {
    let beyond = sigmoid ? 0 : carry[planes.m + cell0]!;
    if (whole && !sigmoid) {
      for (let tile = 0; tile < flux_tiles; tile++) beyond -= flux[(tile * B * NH + cell0) * (NC + 1) + NC]!;
    }
    const [pull, starts] = [rowIndex(cell, PULL, cell0), rowIndex(cell, STARTS, cell0)];
    const [input, forget] = [rowIndex(cell, 0, cell0), rowIndex(cell, 1, cell0)];
    for (let j = S - 1; j >= 0; j--) {
      const total = rows[pull + j]! + beyond;
      const isStart = rows[starts + j]! !== 0;
      shares[input + j] = isStart ? total : 0;
      shares[forget + j] = isStart ? 0 : total;
      beyond = isStart ? 0 : total;
    }
    carry[planes.m + cell0] = beyond;
  }
}
