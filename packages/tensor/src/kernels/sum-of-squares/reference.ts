import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings } from './signature.ts';

/** partials [first + p] = Σ x² over the p-th of `parts` runs of x [length], in float64. */
export function sumOfSquaresReference(
  { x, partials }: ReferenceBuffers<typeof bindings>,
  { length, first, parts }: { length: number; first: number; parts: number },
): void {
  const run = Math.ceil(length / parts);
  for (let part = 0; part < parts; part++) {
    const end = Math.min((part + 1) * run, length);
    let sum = 0;
    for (let index = part * run; index < end; index++) sum += x[index]! * x[index]!;
    partials[first + part] = sum;
  }
}
