import type { ReferenceBuffers } from '@xlstm/device';
import { activationFunction } from '../activation/functions.ts';
import type { bindings, params } from './signature.ts';

/** dx (+)= dy [rows, D] · f'(x), in float64. */
export function activationBackwardReference(
  { x, dy, dx }: ReferenceBuffers<typeof bindings>,
  p: Readonly<Record<keyof typeof params, number>>,
): void {
  const { slope } = activationFunction(p.activation);
  for (let row = 0; row < p.rows; row++) {
    const xStart = p.xOffset + row * p.xStride;
    const dxStart = p.dxOffset + row * p.dxStride;
    for (let d = 0; d < p.D; d++) {
      const value = dy[row * p.D + d]! * slope(x[xStart + d]!);
      dx[dxStart + d] = p.accumulate ? dx[dxStart + d]! + value : value;
    }
  }
}
