import type { MlstmShape } from '../shape.ts';
import { operandData, type RandomSource, stateData } from './case-data.ts';
import type { HostCell } from './run-cell.ts';

/** A made-up cell on the host. */
export function randomCell(
  random: RandomSource,
  shape: MlstmShape,
  options: { gates: number; extremes: boolean; initial: boolean; sigmoid: boolean },
): HostCell {
  const [q, k, v, i, f] = (['q', 'k', 'v', 'i', 'f'] as const).map(
    (name) => operandData(random, shape, name, options).data as Float32Array,
  ) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
  if (!options.initial) return { q, k, v, i, f };
  return { q, k, v, i, f, state: stateData(random, shape, options).data as Float32Array };
}

/** Steps `from`…`to` of a cell. */
export function cutCell(shape: MlstmShape, cell: HostCell, from: number, to: number): HostCell {
  const cut = (data: Float32Array): Float32Array => {
    const width = data.length / (shape.B * shape.NH * shape.S);
    const rows = new Float32Array(shape.B * shape.NH * (to - from) * width);
    for (let head = 0; head < shape.B * shape.NH; head++) {
      const start = head * shape.S;
      rows.set(data.subarray((start + from) * width, (start + to) * width), head * (to - from) * width);
    }
    return rows;
  };
  const { q, k, v, i, f, state } = cell;
  return { q: cut(q), k: cut(k), v: cut(v), i: cut(i), f: cut(f), ...(state ? { state } : {}) };
}
