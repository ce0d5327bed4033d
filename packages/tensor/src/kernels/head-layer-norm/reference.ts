import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** y = (x - mean) * rsqrt(var + eps) * (weightOffset + weight) (+ bias) (* sigmoid(gate)), over each head, in float64. */
export function headLayerNormReference(
  { x, weight, bias, gate, y }: ReferenceBuffers<typeof bindings>,
  { rows, NH, DH, eps, weightOffset, gateOffset, gateStride }: Readonly<Record<keyof typeof params, number>>,
): void {
  for (let row = 0; row < rows; row++) {
    for (let head = 0; head < NH; head++) {
      const column = head * DH;
      const start = row * NH * DH + column;
      let sum = 0;
      for (let d = 0; d < DH; d++) sum += x[start + d]!;
      const mean = sum / DH;
      let squares = 0;
      for (let d = 0; d < DH; d++) squares += (x[start + d]! - mean) ** 2;
      const scale = 1 / Math.sqrt(squares / DH + eps);
      const gateStart = gateOffset + row * gateStride + column;
      for (let d = 0; d < DH; d++) {
        let value = (x[start + d]! - mean) * scale * (weightOffset + weight[column + d]!);
        if (bias) value += bias[column + d]!;
        if (gate) value *= 1 / (1 + Math.exp(-gate[gateStart + d]!));
        y[start + d] = value;
      }
    }
  }
}
