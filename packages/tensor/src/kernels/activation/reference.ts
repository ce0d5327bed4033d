import type { ReferenceBuffers } from '@xlstm/device';
import { activationFunction } from './functions.ts';
import type { bindings, params } from './signature.ts';

/** y [rows, D] = silu(x) or gelu(x), in float64. */
export function activationReference(
  { x, y }: ReferenceBuffers<typeof bindings>,
  { rows, D, xOffset, xStride, activation }: Readonly<Record<keyof typeof params, number>>,
): void {
  const { value } = activationFunction(activation);
  for (let row = 0; row < rows; row++) {
    const xStart = xOffset + row * xStride;
    for (let d = 0; d < D; d++) y[row * D + d] = value(x[xStart + d]!);
  }
}
