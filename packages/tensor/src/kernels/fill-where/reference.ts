import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** y (+)= value in the rows whose id is `id`, x in all others. */
export function fillWhereReference(
  { x, ids, y }: ReferenceBuffers<typeof bindings>,
  p: Readonly<Record<keyof typeof params, number>>,
): void {
  for (let row = 0; row < p.rows; row++) {
    const from = p.xOffset + row * p.xStride;
    const to = p.yOffset + row * p.yStride;
    const filled = ids[row] === p.id;
    for (let d = 0; d < p.D; d++) y[to + d] = (p.accumulate ? y[to + d]! : 0) + (filled ? p.value : x[from + d]!);
  }
}
