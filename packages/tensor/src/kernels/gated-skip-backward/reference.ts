import type { ReferenceBuffers } from '@xlstm/device';
import { ACTIVATION_CODES, activationFunction } from '../activation/functions.ts';
import type { bindings, params } from './signature.ts';

/** dh (+)= dy · silu(z), da (+)= dy · silu(z) · skip, dz (+)= dy · (h + skip · a) · silu'(z), in float64. */
export function gatedSkipBackwardReference(
  { h, skip, a, z, dy, dh, da, dz }: ReferenceBuffers<typeof bindings>,
  p: Readonly<Record<keyof typeof params, number>>,
): void {
  const silu = activationFunction(ACTIVATION_CODES.silu);
  for (let row = 0; row < p.rows; row++) {
    const start = row * p.D;
    const zStart = p.zOffset + row * p.zStride;
    const dzStart = p.dzOffset + row * p.dzStride;
    for (let d = 0; d < p.D; d++) {
      const at = start + d;
      const gate = z[zStart + d]!;
      const g = dy[at]! * silu.value(gate);
      if (dh) dh[at] = (p.accumulateH ? dh[at]! : 0) + g;
      if (da) da[at] = (p.accumulateA ? da[at]! : 0) + g * skip[d]!;
      if (dz) {
        const value = dy[at]! * (h[at]! + skip[d]! * a[at]!) * silu.slope(gate);
        dz[dzStart + d] = (p.accumulateZ ? dz[dzStart + d]! : 0) + value;
      }
    }
  }
}
