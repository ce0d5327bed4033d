import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings } from './signature.ts';

/** index [rows]: the first place of the largest of logits [rows, V]; NaN never wins, and only NaN gives 0. */
export function argmaxReference(
  { logits, index }: ReferenceBuffers<typeof bindings>,
  { rows, V }: { rows: number; V: number },
): void {
  for (let row = 0; row < rows; row++) {
    const start = row * V;
    let best = -1;
    let most = Number.NEGATIVE_INFINITY;
    for (let v = 0; v < V; v++) {
      const value = logits[start + v]!;
      if (value > most || (best < 0 && value === most)) {
        best = v;
        most = value;
      }
    }
    index[row] = Math.max(0, best);
  }
}
