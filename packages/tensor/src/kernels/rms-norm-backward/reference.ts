import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** dx [rows, D] (+)= r · (g − n · mean(g·n)), g = dy·weight, n = x·r; stats [rows, 2] = (0, r); in float64. */
export function rmsNormBackwardReference(
  { x, weight, dy, dx, stats }: ReferenceBuffers<typeof bindings>,
  { rows, D, eps, accumulate }: Readonly<Record<keyof typeof params, number>>,
): void {
  for (let row = 0; row < rows; row++) {
    const start = row * D;
    let squares = 0;
    let products = 0;
    for (let d = 0; d < D; d++) {
      const value = x[start + d]!;
      squares += value * value;
      products += dy[start + d]! * weight[d]! * value;
    }
    const scale = 1 / Math.sqrt(squares / D + eps);
    const pull = (products / D) * scale * scale;
    if (dx) {
      for (let d = 0; d < D; d++) {
        const value = scale * (dy[start + d]! * weight[d]! - x[start + d]! * pull);
        dx[start + d] = accumulate ? dx[start + d]! + value : value;
      }
    }
    if (stats) {
      stats[2 * row] = 0;
      stats[2 * row + 1] = scale;
    }
  }
}
