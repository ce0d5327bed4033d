import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings } from './signature.ts';

/** counts [first + p] = how many elements of the p-th of `parts` runs of x [length] are NaN or infinite. */
export function nonFiniteReference(
  { x, counts }: ReferenceBuffers<typeof bindings>,
  { length, first, parts }: { length: number; first: number; parts: number },
): void {
  const run = Math.ceil(length / parts);
  for (let part = 0; part < parts; part++) {
    const end = Math.min((part + 1) * run, length);
    let count = 0;
    for (let index = part * run; index < end; index++) if (!Number.isFinite(x[index])) count++;
    counts[first + part] = count;
  }
}
