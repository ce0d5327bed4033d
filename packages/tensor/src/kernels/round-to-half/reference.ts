import { encodeFromFloat32, type ReferenceBuffers } from '@xlstm/device';
import { halfScale } from './scale.ts';
import type { bindings, params } from './signature.ts';

const MOST = 65504;

/** y [rows, yStride] = x [rows, D] · scale in fp16, finite where x is; zeros from D on. */
export function roundToHalfReference(
  { x, max, y }: ReferenceBuffers<typeof bindings>,
  { rows, D, xOffset, xStride, yStride }: Readonly<Record<keyof typeof params, number>>,
): void {
  const scale = max ? halfScale(max[0]!) : 1;
  const values = new Float32Array(yStride);
  for (let row = 0; row < rows; row++) {
    for (let d = 0; d < D; d++) {
      const value = Math.fround(x[xOffset + row * xStride + d]! * scale);
      values[d] = Number.isFinite(value) ? Math.min(Math.max(value, -MOST), MOST) : value;
    }
    y.set(encodeFromFloat32(values, 'fp16'), row * yStride);
  }
}
