import type { ReferenceBuffers } from '@xlstm/device';
import { indexer } from '../../layout.ts';
import { bounded, sigmoid, unitGates } from '../../slstm-gates.ts';
import { SAVED_PLANES } from '../../slstm-shape.ts';
import type { bindings, params } from './signature.ts';

type Cell = Readonly<Record<keyof typeof params, number>>;

/** raw [B, DH, 4] += R·y of one head, y [B, DH]; weights are read in the order in which they lie. */
function addRecurrent(raw: Float64Array, y: Float64Array, recurrent: Float32Array, head: number, cell: Cell): void {
  const { B, DH, packed } = cell;
  const first = head * 4 * DH * DH;
  if (packed) {
    for (let k = 0; k < DH; k++) {
      const row = first + k * 4 * DH;
      for (let b = 0; b < B; b++) {
        const factor = y[b * DH + k]!;
        const out = b * 4 * DH;
        for (let j = 0; j < 4 * DH; j++) raw[out + j]! += factor * recurrent[row + j]!;
      }
    }
    return;
  }
  for (let gate = 0; gate < 4; gate++) {
    for (let d = 0; d < DH; d++) {
      const row = first + (gate * DH + d) * DH;
      for (let b = 0; b < B; b++) {
        let sum = 0;
        for (let k = 0; k < DH; k++) sum += recurrent[row + k]! * y[b * DH + k]!;
        raw[(b * DH + d) * 4 + gate]! += sum;
      }
    }
  }
}

/** The cell over S steps in float64; all rows of the batch go together, so that each weight is read once a step. */
export function slstmForwardReference(
  { x, recurrent, bias, state, y, saved }: ReferenceBuffers<typeof bindings>,
  cell: Cell,
): void {
  const { B, S, NH, DH, clip } = cell;
  const [xAt, yAt] = [indexer(cell, 'x'), indexer(cell, 'y')];
  const width = NH * DH;
  const plane = B * width;
  const steps = 4 * plane;
  if (saved) for (let place = 0; place < steps; place++) saved[place] = state[place]!;
  const raw = new Float64Array(B * DH * 4);
  const [previous, c, n, m] = [0, 1, 2, 3].map(() => new Float64Array(B * DH)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const planes = [previous, c, n, m];
  for (let head = 0; head < NH; head++) {
    for (const [p, values] of planes.entries()) {
      for (let b = 0; b < B; b++) {
        const start = p * plane + b * width + head * DH;
        for (let d = 0; d < DH; d++) values[b * DH + d] = state[start + d]!;
      }
    }
    for (let s = 0; s < S; s++) {
      for (let b = 0; b < B; b++) {
        for (let gate = 0; gate < 4; gate++) {
          const from = xAt(b, head, s) + gate * cell.x_gate;
          const offset = (gate * NH + head) * DH;
          for (let d = 0; d < DH; d++) raw[(b * DH + d) * 4 + gate] = x[from + d]! + bias[offset + d]!;
        }
      }
      addRecurrent(raw, previous, recurrent, head, cell);
      for (let b = 0; b < B; b++) {
        const out = yAt(b, head, s);
        const keep = steps + (b * S + s) * SAVED_PLANES * width + head * DH;
        for (let d = 0; d < DH; d++) {
          const unit = b * DH + d;
          const i = bounded(raw[unit * 4]!);
          const f = bounded(raw[unit * 4 + 1]!);
          const z = raw[unit * 4 + 2]!;
          const o = raw[unit * 4 + 3]!;
          const gates = unitGates(i, f, n[unit]!, m[unit]!);
          c[unit] = gates.forget * c[unit]! + gates.input * Math.tanh(z);
          n[unit] = gates.forget * n[unit]! + gates.input;
          m[unit] = gates.m;
          const value = (sigmoid(o) * c[unit]!) / n[unit]!;
          previous[unit] = clip ? Math.max(-clip, Math.min(clip, value)) : value;
          y[out + d] = previous[unit]!;
          if (saved) {
            const values = [i, f, z, o, c[unit]!, n[unit]!, m[unit]!];
            for (let p = 0; p < SAVED_PLANES; p++) saved[keep + p * width + d] = values[p]!;
          }
        }
      }
    }
    for (const [p, values] of planes.entries()) {
      for (let b = 0; b < B; b++) {
        const start = p * plane + b * width + head * DH;
        for (let d = 0; d < DH; d++) state[start + d] = values[b * DH + d]!;
      }
    }
  }
}
