import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** dweight [V, D] (+)= sums of dy [T, D] over the tokens of each id, in float64; ids outside the table are left out. */
export function embeddingBackwardReference(
  { ids, dy, dweight }: ReferenceBuffers<typeof bindings>,
  { T, V, D, accumulate }: Readonly<Record<keyof typeof params, number>>,
): void {
  // The tokens of each id as a list: the first, and from each the next.
  const first = new Int32Array(V).fill(-1);
  const next = new Int32Array(T);
  for (let t = T - 1; t >= 0; t--) {
    const id = ids[t]!;
    if (id < 0 || id >= V) continue;
    next[t] = first[id]!;
    first[id] = t;
  }
  const sums = new Float64Array(D);
  for (let v = 0; v < V; v++) {
    const start = v * D;
    if (first[v]! < 0) {
      if (!accumulate) dweight.fill(0, start, start + D);
      continue;
    }
    sums.fill(0);
    for (let t = first[v]!; t >= 0; t = next[t]!) {
      for (let d = 0; d < D; d++) sums[d]! += dy[t * D + d]!;
    }
    for (let d = 0; d < D; d++) dweight[start + d] = sums[d]! + (accumulate ? dweight[start + d]! : 0);
  }
}
