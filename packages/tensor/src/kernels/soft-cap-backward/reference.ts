import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** dx (+)= dy [rows, D] · (1 − (y/cap)²), in float64; dx ← dx · (1 − (y/cap)²) when dy is absent. */
export function softCapBackwardReference(
  { y, dy, dx }: ReferenceBuffers<typeof bindings>,
  { rows, D, cap, dxOffset, dxStride, accumulate }: Readonly<Record<keyof typeof params, number>>,
): void {
  for (let row = 0; row < rows; row++) {
    const target = dxOffset + row * dxStride;
    for (let d = 0; d < D; d++) {
      const share = y[row * D + d]! / cap;
      const value = (dy ? dy[row * D + d]! : dx[target + d]!) * (1 - share) * (1 + share);
      dx[target + d] = accumulate ? dx[target + d]! + value : value;
    }
  }
}
