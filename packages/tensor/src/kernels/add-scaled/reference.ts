import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** y (+)= scale · x, in float64. */
export function addScaledReference(
  { x, scale, y }: ReferenceBuffers<typeof bindings>,
  { count, accumulate }: Readonly<Record<keyof typeof params, number>>,
): void {
  const factor = scale[0]!;
  for (let at = 0; at < count; at++) y[at] = (accumulate ? y[at]! : 0) + factor * x[at]!;
}
