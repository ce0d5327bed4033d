import type { ReferenceBuffers } from '@xlstm/device';
import { extendedInputs } from '../causal-conv/reference.ts';
import type { bindings, params } from './signature.ts';

/** partials [part, D*K + D] = the sums of dy · u and of dy over the part's rows, in float64. */
export function causalConvWeightBackwardReference(
  { x, state, dy, partials }: ReferenceBuffers<typeof bindings>,
  p: Readonly<Record<keyof typeof params, number>>,
): void {
  const { B, S, D, K, chunk } = p;
  const width = D * K + D;
  const sums = new Float64Array(Math.ceil((B * S) / chunk) * width);
  for (let b = 0; b < B; b++) {
    const inputs = extendedInputs(x, state, b, p);
    for (let t = 0; t < S; t++) {
      const row = b * S + t;
      const start = Math.floor(row / chunk) * width;
      for (let d = 0; d < D; d++) {
        const gradient = dy[row * D + d]!;
        for (let k = 0; k < K; k++) sums[start + d * K + k]! += gradient * inputs[(t + k) * D + d]!;
        sums[start + D * K + d]! += gradient;
      }
    }
  }
  partials.set(sums);
}
