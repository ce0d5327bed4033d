import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** y [rows, D] = cap * tanh(x / cap), in float64; of y itself when x is absent. */
export function softCapReference(
  { x, y }: ReferenceBuffers<typeof bindings>,
  { rows, D, xOffset, xStride, cap }: Readonly<Record<keyof typeof params, number>>,
): void {
  for (let row = 0; row < rows; row++) {
    const start = row * D;
    const source = x ?? y;
    const sourceStart = x ? xOffset + row * xStride : start;
    for (let d = 0; d < D; d++) y[start + d] = cap * Math.tanh(source[sourceStart + d]! / cap);
  }
}
