import { decodeToFloat32, isFloatDtype, type ReferenceBuffers } from '@xlstm/device';
import { decodeCodes } from '../matmul/decode-codes.ts';
import type { bindings, params } from './signature.ts';

/** y [rows, D] = weight [V, D] at ids [rows] − firstRow; an id outside the whole table gives NaN, elsewhere in it nothing. */
export function embeddingReference(
  { ids, weight, y, scales }: ReferenceBuffers<typeof bindings>,
  { rows, V, D, firstRow, total, bits, group }: Readonly<Record<keyof typeof params, number>>,
): void {
  const { dtype, data } = weight;
  for (let row = 0; row < rows; row++) {
    const id = ids[row]!;
    const target = y.subarray(row * D, (row + 1) * D);
    const here = id - firstRow;
    if (id < 0 || id >= total) target.fill(Number.NaN);
    else if (here < 0 || here >= V) continue;
    else if (isFloatDtype(dtype)) decodeToFloat32(data.subarray(here * D, (here + 1) * D), dtype, target);
    else decodeCodes(data as ArrayLike<number> as Uint32Array, scales!, bits, group, here * D, D, target);
  }
}
