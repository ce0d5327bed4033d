import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** y [rows, D] = gate * sigmoid(gate) * up, in float64. */
export function swigluReference(
  { gate, up, y }: ReferenceBuffers<typeof bindings>,
  { rows, D, gateOffset, gateStride, upOffset, upStride }: Readonly<Record<keyof typeof params, number>>,
): void {
  for (let row = 0; row < rows; row++) {
    const gateStart = gateOffset + row * gateStride;
    const upStart = upOffset + row * upStride;
    const start = row * D;
    for (let d = 0; d < D; d++) {
      const value = gate[gateStart + d]!;
      y[start + d] = (value / (1 + Math.exp(-value))) * up[upStart + d]!;
    }
  }
}
