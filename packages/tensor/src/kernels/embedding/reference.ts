import { decodeToFloat32, isFloatDtype, type ReferenceBuffers } from '@xlstm/device';
import type { bindings } from './signature.ts';

/** y [rows, D] = weight [V, D] at ids [rows]; an id outside the table gives NaN. */
export function embeddingReference(
  { ids, weight, y }: ReferenceBuffers<typeof bindings>,
  { rows, V, D }: { rows: number; V: number; D: number },
): void {
  const { dtype, data } = weight;
  for (let row = 0; row < rows; row++) {
    const id = ids[row]!;
    const target = y.subarray(row * D, (row + 1) * D);
    if (id < 0 || id >= V || !isFloatDtype(dtype)) target.fill(Number.NaN);
    else decodeToFloat32(data.subarray(id * D, (id + 1) * D), dtype, target);
  }
}
