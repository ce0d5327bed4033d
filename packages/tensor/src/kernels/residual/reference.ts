import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings } from './signature.ts';

/** result [count] = x + y, or result + y when x is absent. */
export function residualReference(
  { x, y, result }: ReferenceBuffers<typeof bindings>,
  { count }: { count: number },
): void {
  const first = x ?? result;
  for (let index = 0; index < count; index++) result[index] = first[index]! + y[index]!;
}
