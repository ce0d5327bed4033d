import type { ReferenceBuffers } from '@xlstm/device';
import { ACTIVATION_CODES, activationFunction } from '../activation/functions.ts';
import type { bindings, params } from './signature.ts';

/** partials [part, D] = the sums of dy · a · silu(z) over the part's rows, in float64. */
export function gatedSkipWeightBackwardReference(
  { a, z, dy, partials }: ReferenceBuffers<typeof bindings>,
  { rows, D, chunk, zOffset, zStride }: Readonly<Record<keyof typeof params, number>>,
): void {
  const silu = activationFunction(ACTIVATION_CODES.silu);
  for (let first = 0, part = 0; first < rows; first += chunk, part++) {
    const sums = new Float64Array(D);
    for (let row = first; row < Math.min(rows, first + chunk); row++) {
      const start = row * D;
      const zStart = zOffset + row * zStride;
      for (let d = 0; d < D; d++) sums[d]! += dy[start + d]! * a[start + d]! * silu.value(z[zStart + d]!);
    }
    partials.set(sums, part * D);
  }
}
