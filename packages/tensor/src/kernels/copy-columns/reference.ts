import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** target (+)= source, rows of D elements each. */
export function copyColumnsReference(
  { source, target }: ReferenceBuffers<typeof bindings>,
  p: Readonly<Record<keyof typeof params, number>>,
): void {
  for (let row = 0; row < p.rows; row++) {
    const from = p.sourceOffset + row * p.sourceStride;
    const to = p.targetOffset + row * p.targetStride;
    if (!p.accumulate) target.set(source.subarray(from, from + p.D), to);
    else for (let d = 0; d < p.D; d++) target[to + d]! += source[from + d]!;
  }
}
