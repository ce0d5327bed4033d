import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** Every element of y [rows, D] becomes `value`. */
export function fillReference(
  { y }: ReferenceBuffers<typeof bindings>,
  { rows, D, yOffset, yStride, value }: Readonly<Record<keyof typeof params, number>>,
): void {
  for (let row = 0; row < rows; row++) y.fill(value, yOffset + row * yStride, yOffset + row * yStride + D);
}
