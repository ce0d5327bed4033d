import { slstmForwardReference } from '../kernels/slstm-forward/reference.ts';
import { headMajor, type Layout, sequenceMajor } from '../layout.ts';
import { inputLayoutParams, type SlstmInputLayout, slstmInputLayout } from '../slstm-layout.ts';
import { recurrentLength, type SlstmShape, slstmSavedLength, slstmStateLength } from '../slstm-shape.ts';
import type { RandomSource } from './case-data.ts';

/** What a made-up sLSTM looks like. */
export interface SlstmCaseOptions {
  /** Columns of wider rows, with gaps, and y sequence-major; contiguous and y head-major otherwise. */
  wide?: boolean;
  /** Adds gates at ±100, −∞ and the like. */
  extremes?: boolean;
  /** Which initial states there are: none, random ones, or random ones beside rows and units that are empty. */
  initial?: 'empty' | 'full' | 'mixed';
  /** Bound on y; 0 for none. */
  clip?: number;
}

/** The host arrays of a cell. */
export interface SlstmArrays {
  x: Float32Array;
  recurrent: Float32Array;
  bias: Float32Array;
  state: Float32Array;
}

const GAP = 3;

/** Where x lies, and how long its buffer is. */
export function inputPlace(shape: SlstmShape, wide = false): { layout: SlstmInputLayout; length: number } {
  const columns = 4 * shape.NH * shape.DH;
  const rows = shape.B * shape.S;
  if (!wide) return { layout: slstmInputLayout(shape), length: rows * columns };
  return { layout: slstmInputLayout(shape, columns + GAP, 2), length: rows * (columns + GAP) };
}

/** Where y or dy lies, and how long its buffer is. */
export function outputPlace(shape: SlstmShape, wide = false): { layout: Layout; length: number } {
  const columns = shape.NH * shape.DH;
  const rows = shape.B * shape.S;
  if (!wide) return { layout: headMajor(shape, shape.DH), length: rows * columns };
  return { layout: sequenceMajor(shape, shape.DH, columns + GAP, 1), length: rows * (columns + GAP) };
}

/** `{ name_offset, … }` of an output-like operand. */
export function outputParams<N extends string>(name: N, layout: Layout): Record<`${N}_${keyof Layout}`, number> {
  const entries = Object.entries(layout).map(([part, value]) => [`${name}_${part}`, value]);
  return Object.fromEntries(entries) as Record<`${N}_${keyof Layout}`, number>;
}

const EXTREMES = [100, -100, Number.NEGATIVE_INFINITY, -30, 30, 0, -1e30];

/** Made-up contents; the recurrence is strong enough to matter and too weak to be chaotic. */
export function slstmArrays(random: RandomSource, shape: SlstmShape, options: SlstmCaseOptions = {}): SlstmArrays {
  const { wide, extremes, initial = 'full' } = options;
  const x = random.normals(inputPlace(shape, wide).length, 1);
  if (extremes) for (let at = 1; at < x.length; at += 3) x[at] = EXTREMES[random.integer(EXTREMES.length)]!;
  const plane = slstmStateLength(shape) / 4;
  const state = initial === 'empty' ? new Float32Array(4 * plane) : random.normals(4 * plane, 0.7);
  for (let at = 2 * plane; at < 3 * plane; at++) state[at] = state[at] === 0 ? 0 : 0.5 + Math.abs(state[at]!);
  if (initial === 'mixed') {
    for (let unit = 0; unit < plane; unit++) {
      // An empty unit, or one that has something remembered which no weight stands for.
      if (unit % 3 === 0) for (let p = 0; p < 4; p++) state[p * plane + unit] = 0;
      if (unit % 7 === 1) state[2 * plane + unit] = 0;
    }
  }
  return {
    x,
    recurrent: random.normals(recurrentLength(shape), 0.5 / Math.sqrt(shape.DH)),
    bias: random.normals(4 * shape.NH * shape.DH, 0.5),
    state,
  };
}

/** The forward's parameters for a made-up cell. */
export function forwardParamsOf(
  shape: SlstmShape,
  { wide, clip = 0 }: SlstmCaseOptions,
  packed: number,
): Parameters<typeof slstmForwardReference>[1] {
  const { B, S, NH, DH } = shape;
  return {
    ...inputLayoutParams('x', inputPlace(shape, wide).layout),
    ...outputParams('y', outputPlace(shape, wide).layout),
    ...{ B, S, NH, DH, packed, clip },
  };
}

/** A cell that went through the reference's forward, for what comes after it. */
export function afterForward(
  random: RandomSource,
  shape: SlstmShape,
  options: SlstmCaseOptions,
): SlstmArrays & { y: Float32Array; saved: Float32Array } {
  const arrays = slstmArrays(random, shape, options);
  const y = new Float32Array(outputPlace(shape, options.wide).length);
  const saved = new Float32Array(slstmSavedLength(shape));
  slstmForwardReference({ ...arrays, state: arrays.state.slice(), y, saved }, forwardParamsOf(shape, options, 0));
  return { ...arrays, y, saved };
}
