import type { ReferenceBuffers } from '@xlstm/device';
import { indexer } from '../../layout.ts';
import { SAVED_PLANES } from '../../slstm-shape.ts';
import type { bindings, params } from './signature.ts';
import { unitBackward } from './unit-gradient.ts';

/** A gradient held within ±clip; 0 stands for no bound. */
function clipped(value: number, clip: number): number {
  return clip ? Math.max(-clip, Math.min(clip, value)) : value;
}

/** From the last step to the first in float64; all rows of the batch go together, so that each weight is read once a step. */
export function slstmBackwardReference(
  { recurrent, saved, dy, carried, dx }: ReferenceBuffers<typeof bindings>,
  cell: Readonly<Record<keyof typeof params, number>>,
): void {
  const { B, S, NH, DH, clip, cut, recurrent_clip } = cell;
  const [dyAt, dxAt] = [indexer(cell, 'dy'), indexer(cell, 'dx')];
  const width = NH * DH;
  const plane = B * width;
  const gates = new Float64Array(B * DH * 4);
  const [back, dc, dn, dm] = [0, 1, 2, 3].map(() => new Float64Array(B * DH)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const planes = [back, dc, dn, dm];
  for (let head = 0; head < NH; head++) {
    /** Where the saved values of (b, s) start, and those of the states before it: c, n, m a plane apart. */
    const keptAt = (b: number, s: number) => 4 * plane + (b * S + s) * SAVED_PLANES * width + head * DH;
    const before = (b: number, s: number) =>
      s === 0
        ? { first: plane + b * width + head * DH, stride: plane }
        : { first: keptAt(b, s - 1) + 4 * width, stride: width };
    for (const [p, values] of planes.entries()) {
      for (let b = 0; b < B; b++) {
        const start = p * plane + b * width + head * DH;
        for (let d = 0; d < DH; d++) values[b * DH + d] = carried[start + d]!;
      }
    }
    for (let b = 0; b < B; b++) {
      const last = keptAt(b, S - 1);
      for (let d = 0; d < DH; d++) {
        const unit = b * DH + d;
        dm[unit]! -= dc[unit]! * saved[last + 4 * width + d]! + dn[unit]! * saved[last + 5 * width + d]!;
      }
    }
    for (let s = S - 1; s >= 0; s--) {
      for (let b = 0; b < B; b++) {
        const kept = keptAt(b, s);
        const { first, stride } = before(b, s);
        const given = dyAt(b, head, s);
        const out = dxAt(b, head, s);
        for (let d = 0; d < DH; d++) {
          const unit = b * DH + d;
          const at = (p: number) => saved[kept + p * width + d]!;
          const step = {
            ...{ i: at(0), f: at(1), z: at(2), o: at(3), c: at(4), n: at(5), m: at(6) },
            ...{ c0: saved[first + d]!, n0: saved[first + stride + d]!, m0: saved[first + 2 * stride + d]! },
          };
          const states = { c: dc[unit]!, n: dn[unit]!, m: dm[unit]! };
          const total = back[unit]! + (dy ? dy[given + d]! : 0);
          const gradient = unitBackward(step, total, states, clip);
          [dc[unit], dn[unit], dm[unit]] = [states.c, states.n, states.m];
          const values = [gradient.i, gradient.f, gradient.z, gradient.o];
          for (let gate = 0; gate < 4; gate++) {
            gates[unit * 4 + gate] = values[gate]!;
            dx[out + gate * cell.dx_gate + d] = values[gate]!;
          }
        }
      }
      back.fill(0);
      if (cut) continue;
      for (let o = 0; o < DH; o++) {
        const row = (head * DH + o) * 4 * DH;
        for (let b = 0; b < B; b++) {
          const at = (b * DH + o) * 4;
          const [gi, gf, gz, go] = [gates[at]!, gates[at + 1]!, gates[at + 2]!, gates[at + 3]!];
          for (let d = 0; d < DH; d++) {
            const w = row + 4 * d;
            back[b * DH + d]! +=
              gi * recurrent[w]! + gf * recurrent[w + 1]! + gz * recurrent[w + 2]! + go * recurrent[w + 3]!;
          }
        }
      }
      for (let unit = 0; unit < B * DH; unit++) back[unit] = clipped(back[unit]!, recurrent_clip);
    }
    for (let b = 0; b < B; b++) {
      const { first, stride } = before(b, 0);
      for (let d = 0; d < DH; d++) {
        const unit = b * DH + d;
        dm[unit]! += dc[unit]! * saved[first + d]! + dn[unit]! * saved[first + stride + d]!;
      }
    }
    for (const [p, values] of planes.entries()) {
      for (let b = 0; b < B; b++) {
        const start = p * plane + b * width + head * DH;
        for (let d = 0; d < DH; d++) carried[start + d] = values[b * DH + d]!;
      }
    }
  }
}
