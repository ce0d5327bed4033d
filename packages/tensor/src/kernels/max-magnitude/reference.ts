import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** The largest bits of |x|, and of what max held. */
export function maxMagnitudeReference(
  { x, max }: ReferenceBuffers<typeof bindings>,
  { rows, D, xOffset, xStride }: Readonly<Record<keyof typeof params, number>>,
): void {
  const bits = new Uint32Array(x.buffer, x.byteOffset, x.length);
  for (let row = 0; row < rows; row++) {
    for (let d = 0; d < D; d++) max[0] = Math.max(max[0]!, bits[xOffset + row * xStride + d]! & 0x7fffffff);
  }
}
