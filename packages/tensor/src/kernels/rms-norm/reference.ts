import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings } from './signature.ts';

/** y [rows, D] = x [rows, D] · rsqrt(mean(x²) + eps) · weight [D] + bias [D], in float64. */
export function rmsNormReference(
  { x, weight, bias, y }: ReferenceBuffers<typeof bindings>,
  { rows, D, eps }: { rows: number; D: number; eps: number },
): void {
  for (let row = 0; row < rows; row++) {
    const start = row * D;
    let squares = 0;
    for (let d = 0; d < D; d++) squares += x[start + d]! ** 2;
    const scale = 1 / Math.sqrt(squares / D + eps);
    for (let d = 0; d < D; d++) y[start + d] = x[start + d]! * scale * weight[d]! + (bias ? bias[d]! : 0);
  }
}
