import type { ReferenceBuffers } from '@xlstm/device';
import { philox } from '../sample/philox.ts';
import { type bindings, COUNTER_TAG, type params } from './signature.ts';

/** y (+)= x · scale where the element's word is at least `threshold`, else 0. */
export function dropoutReference(
  { x, seed, y }: ReferenceBuffers<typeof bindings>,
  p: Readonly<Record<keyof typeof params, number>>,
): void {
  const key = [seed[0]!, seed[1]!] as const;
  let words = philox([0, 0, p.stream, COUNTER_TAG], key);
  for (let row = 0; row < p.rows; row++) {
    const from = p.xOffset + row * p.xStride;
    const to = p.yOffset + row * p.yStride;
    for (let d = 0; d < p.D; d++) {
      const element = row * p.D + d;
      if (element % 4 === 0) words = philox([element / 4, 0, p.stream, COUNTER_TAG], key);
      const value = words[element % 4]! >= p.threshold ? x[from + d]! * p.scale : 0;
      y[to + d] = p.accumulate ? y[to + d]! + value : value;
    }
  }
}
