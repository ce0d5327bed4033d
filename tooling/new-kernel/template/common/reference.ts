import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings } from './signature.ts';

/** y [n] = a · x [n], in float64. */
export function exampleScaleReference(
  { x, y }: ReferenceBuffers<typeof bindings>,
  { n, a }: { n: number; a: number },
): void {
  for (let index = 0; index < n; index++) y[index] = a * x[index]!;
}
