import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

type Buffers = ReferenceBuffers<typeof bindings>;
type Params = Readonly<Record<keyof typeof params, number>>;

function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}

function headBackward({ x, weight, bias, gate, dy, dx, dgate, stats }: Buffers, p: Params, index: number): void {
  const { NH, DH } = p;
  const row = Math.floor(index / NH);
  const column = (index % NH) * DH;
  const start = index * DH;
  const gateStart = p.gateOffset + row * p.gateStride + column;
  const dgateStart = p.dgateOffset + row * p.dgateStride + column;
  let mean = 0;
  for (let d = 0; d < DH; d++) mean += x[start + d]!;
  mean /= DH;
  let squares = 0;
  let sum = 0;
  let products = 0;
  for (let d = 0; d < DH; d++) {
    const centred = x[start + d]! - mean;
    let g = dy[start + d]! * (p.weightOffset + weight[column + d]!);
    if (gate) g *= sigmoid(gate[gateStart + d]!);
    squares += centred * centred;
    sum += g;
    products += g * centred;
  }
  const scale = 1 / Math.sqrt(squares / DH + p.eps);
  const shift = sum / DH;
  const pull = (products / DH) * scale * scale;
  for (let d = 0; d < DH; d++) {
    const centred = x[start + d]! - mean;
    const scaled = p.weightOffset + weight[column + d]!;
    const open = gate ? sigmoid(gate[gateStart + d]!) : 1;
    if (dx) {
      const value = scale * (dy[start + d]! * scaled * open - shift - centred * pull);
      dx[start + d] = p.accumulateX ? dx[start + d]! + value : value;
    }
    if (gate && dgate) {
      const closed = sigmoid(-gate[gateStart + d]!);
      const value = dy[start + d]! * (centred * scale * scaled + (bias ? bias[column + d]! : 0)) * open * closed;
      dgate[dgateStart + d] = p.accumulateGate ? dgate[dgateStart + d]! + value : value;
    }
  }
  if (stats) {
    stats[2 * index] = mean;
    stats[2 * index + 1] = scale;
  }
}

/**
 * dx (+)= r · (g − mean(g) − n · mean(g·n)) and dgate (+)= dy · (n·w + bias) · s(1 − s) over each head's DH elements, and
 * stats [rows, NH, 2] = (mean, r); n = (x − mean)·r, w = weightOffset + weight, s = sigmoid(gate), g = dy·w·s; in float64.
 */
export function headLayerNormBackwardReference(buffers: Buffers, p: Params): void {
  for (let index = 0; index < p.rows * p.NH; index++) headBackward(buffers, p, index);
}
