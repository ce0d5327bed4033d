import type { ReferenceBuffers } from '@xlstm/device';
import { activationFunction } from '../activation/functions.ts';
import type { bindings, params } from './signature.ts';

/** y [rows, D] = silu(gate) * up or gelu(gate) * up, in float64. */
export function gatedActivationReference(
  { gate, up, y }: ReferenceBuffers<typeof bindings>,
  { rows, D, gateOffset, gateStride, upOffset, upStride, activation }: Readonly<Record<keyof typeof params, number>>,
): void {
  const { value } = activationFunction(activation);
  for (let row = 0; row < rows; row++) {
    const gateStart = gateOffset + row * gateStride;
    const upStart = upOffset + row * upStride;
    const start = row * D;
    for (let d = 0; d < D; d++) y[start + d] = value(gate[gateStart + d]!) * up[upStart + d]!;
  }
}
