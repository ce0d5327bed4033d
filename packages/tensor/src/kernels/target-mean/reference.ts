import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings } from './signature.ts';

/** result [1]: the mean of losses [T] over targets that are not ignored, 0 when all are; their number without losses. */
export function targetMeanReference(
  { targets, losses, result }: ReferenceBuffers<typeof bindings>,
  { T, ignoreIndex }: { T: number; ignoreIndex: number },
): void {
  let count = 0;
  let sum = 0;
  for (let t = 0; t < T; t++) {
    if (targets[t] === ignoreIndex) continue;
    count++;
    if (losses) sum += losses[t]!;
  }
  result[0] = losses ? (count === 0 ? 0 : sum / count) : count;
}
