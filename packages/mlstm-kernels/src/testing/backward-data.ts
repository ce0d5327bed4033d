import type { Dtype, NumberArray } from '@xlstm/device';
import { CARRIED, DECAY, INVERSE, LOG_FORGET, rowsLength, STABILIZER, STARTS, WEIGHT } from '../backward-rows.ts';
import type { MlstmShape } from '../shape.ts';
import { arrange, type CaseOptions, type RandomSource } from './case-data.ts';

/** A cell's sizes and its chunks' length. */
export interface ChunkedShape extends MlstmShape {
  L: number;
}

interface CaseData {
  dtype: Dtype;
  data: NumberArray;
}

/** Normal values. */
export function normals(random: RandomSource, length: number): CaseData {
  return { dtype: 'fp32', data: random.normals(length) };
}

/** Zeros, for an output of which only a part is written. */
export function zeros(length: number): CaseData {
  return { dtype: 'fp32', data: new Float32Array(length) };
}

const CLOSED = [-100, -1e30, -30];

/** Made-up planes of what is known of each step: in the right ranges, otherwise unrelated. */
export function rowsData(random: RandomSource, shape: ChunkedShape, { extremes = false }: CaseOptions = {}): CaseData {
  const data = random.normals(rowsLength(shape));
  const plane = shape.B * shape.NH * shape.S;
  const change = (index: number, value: (x: number) => number, end = (index + 1) * plane): void => {
    for (let place = index * plane; place < end; place++) data[place] = value(data[place]!);
  };
  const share = (x: number): number => Math.exp(-Math.abs(x));
  change(LOG_FORGET, (x) => (extremes && random.integer(3) === 0 ? CLOSED[random.integer(3)]! : -0.2 * Math.abs(x)));
  change(STABILIZER, (x) => Math.abs(x));
  change(STARTS, (x) => (x > 0 ? 1 : 0));
  for (const index of [INVERSE, CARRIED, WEIGHT]) change(index, share);
  change(DECAY, share, data.length);
  return { dtype: 'fp32', data };
}

/** What a gradient's buffer holds before the launch, where that must stay or be added to; else it starts as NaN. */
export function gradientData(
  random: RandomSource,
  shape: MlstmShape,
  name: 'q' | 'v' | 'i',
  { arrangement = 'head-major', accumulate = false }: CaseOptions & { accumulate?: boolean },
): CaseData | { dtype: Dtype; length: number } {
  const { length } = arrange(shape, name, arrangement);
  if (accumulate || arrangement !== 'head-major') return normals(random, length);
  return { dtype: 'fp32', length };
}
