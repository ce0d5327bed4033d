import type { ReferenceBuffers } from '@xlstm/device';
import { statePlanes } from '../../state.ts';
import type { bindings, params } from './signature.ts';

/** The gradient of the initial state, with that of its stabiliser. */
export function mlstmBackwardInitialReference(
  { carry, flux, gradient }: ReferenceBuffers<typeof bindings>,
  cell: Readonly<Record<keyof typeof params, number>>,
): void {
  const { B, NH, NC, flux_tiles, sigmoid, accumulate } = cell;
  const planes = statePlanes(cell);
  for (let place = 0; place < planes.m; place++) {
    gradient[place] = accumulate ? gradient[place]! + carry[place]! : carry[place]!;
  }
  for (let cell0 = 0; cell0 < B * NH; cell0++) {
    let sum = accumulate ? gradient[planes.m + cell0]! : 0;
    if (!sigmoid) sum += carry[planes.m + cell0]!;
    for (let tile = 0; tile < flux_tiles && !sigmoid; tile++) sum += flux[(tile * B * NH + cell0) * (NC + 1)]!;
    gradient[planes.m + cell0] = sum;
  }
}
