import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

function add(target: Float32Array, start: number, values: Float64Array, accumulate: number): void {
  for (let d = 0; d < values.length; d++) target[start + d] = (accumulate ? target[start + d]! : 0) + values[d]!;
}

/** dx and dstate (+)= du[τ] = Σ_k weight[k] · dy[τ + K−1 − k] + dnextState[τ − (S − (K−1))], in float64. */
export function causalConvBackwardReference(
  { weight, dy, dnextState, dx, dstate }: ReferenceBuffers<typeof bindings>,
  p: Readonly<Record<keyof typeof params, number>>,
): void {
  const { B, S, D, K } = p;
  const sums = new Float64Array(D);
  for (let b = 0; b < B; b++) {
    for (let time = dstate ? 1 - K : 0; time < S; time++) {
      sums.fill(0);
      for (let k = 0; k < K; k++) {
        const t = time + K - 1 - k;
        if (t < 0 || t >= S) continue;
        const start = (b * S + t) * D;
        for (let d = 0; d < D; d++) sums[d]! += weight[d * K + k]! * dy[start + d]!;
      }
      const place = time - (S - (K - 1));
      if (dnextState && place >= 0) {
        const start = (b * (K - 1) + place) * D;
        for (let d = 0; d < D; d++) sums[d]! += dnextState[start + d]!;
      }
      if (time < 0) add(dstate!, (b * (K - 1) + time + K - 1) * D, sums, p.accumulateState);
      else if (dx) add(dx, p.dxOffset + (b * S + time) * p.dxStride, sums, p.accumulateX);
    }
  }
}
