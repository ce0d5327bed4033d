import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** sums [O] += weight [O, I] · x, or weight [I, O]ᵀ · x, in float64. */
function multiply(
  sums: Float64Array,
  weight: Float32Array,
  weightStart: number,
  x: Float32Array,
  xStart: number,
  { I, O, transposed }: { I: number; O: number; transposed: number },
): void {
  if (transposed) {
    for (let i = 0; i < I; i++) {
      const value = x[xStart + i]!;
      const start = weightStart + i * O;
      for (let o = 0; o < O; o++) sums[o]! += weight[start + o]! * value;
    }
    return;
  }
  for (let o = 0; o < O; o++) {
    const start = weightStart + o * I;
    let sum = 0;
    for (let i = 0; i < I; i++) sum += weight[start + i]! * x[xStart + i]!;
    sums[o]! += sum;
  }
}

/** y[row, b*O + o] (+)= bias + Σ_i weight[b, o, i] · x[row, b*I + i], in float64. */
export function blockDiagonalLinearReference(
  { x, weight, bias, y }: ReferenceBuffers<typeof bindings>,
  p: Readonly<Record<keyof typeof params, number>>,
): void {
  const { NB, I, O } = p;
  const sums = new Float64Array(O);
  for (let row = 0; row < p.rows; row++) {
    for (let b = 0; b < NB; b++) {
      const start = p.yOffset + row * p.yStride + b * O;
      for (let o = 0; o < O; o++) sums[o] = (p.accumulate ? y[start + o]! : 0) + (bias ? bias[b * O + o]! : 0);
      multiply(sums, weight, b * I * O, x, p.xOffset + row * p.xStride + b * I, p);
      y.set(sums, start);
    }
  }
}
