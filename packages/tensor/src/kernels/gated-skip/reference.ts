import type { ReferenceBuffers } from '@xlstm/device';
import { ACTIVATION_CODES, activationFunction } from '../activation/functions.ts';
import type { bindings, params } from './signature.ts';

/** y [rows, D] = (h + skip [D] · a) · silu(z), in float64. */
export function gatedSkipReference(
  { h, skip, a, z, y }: ReferenceBuffers<typeof bindings>,
  { rows, D, zOffset, zStride }: Readonly<Record<keyof typeof params, number>>,
): void {
  const silu = activationFunction(ACTIVATION_CODES.silu);
  for (let row = 0; row < rows; row++) {
    const start = row * D;
    const zStart = zOffset + row * zStride;
    for (let d = 0; d < D; d++) y[start + d] = (h[start + d]! + skip[d]! * a[start + d]!) * silu.value(z[zStart + d]!);
  }
}
