import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

type Params = Readonly<Record<keyof typeof params, number>>;

/** The inputs of one sequence with the K − 1 before them, `[K-1+S, D]`, in float64. */
export function extendedInputs(
  x: Float32Array,
  state: Float32Array | undefined,
  b: number,
  { S, D, K, xOffset, xStride }: Omit<Params, 'B' | 'inPlace'>,
): Float64Array {
  const lead = (K - 1) * D;
  const inputs = new Float64Array(lead + S * D);
  if (state) inputs.set(state.subarray(b * lead, (b + 1) * lead));
  for (let t = 0; t < S; t++) {
    const start = xOffset + (b * S + t) * xStride;
    inputs.set(x.subarray(start, start + D), lead + t * D);
  }
  return inputs;
}

/** y[b, t, d] = bias[d] + Σ_k weight[d, k] · u[b, t − (K−1) + k, d], u = state before x; nextState = the last of u. */
export function causalConvReference(
  { x, weight, bias, state, y, nextState }: ReferenceBuffers<typeof bindings>,
  p: Params,
): void {
  const { B, S, D, K } = p;
  const sums = new Float64Array(D);
  for (let b = 0; b < B; b++) {
    const inputs = extendedInputs(x, p.inPlace ? nextState : state, b, p);
    for (let t = 0; t < S; t++) {
      if (bias) sums.set(bias);
      else sums.fill(0);
      for (let k = 0; k < K; k++) {
        const start = (t + k) * D;
        for (let d = 0; d < D; d++) sums[d]! += weight[d * K + k]! * inputs[start + d]!;
      }
      y.set(sums, (b * S + t) * D);
    }
    nextState?.set(inputs.subarray(S * D), b * (K - 1) * D);
  }
}
