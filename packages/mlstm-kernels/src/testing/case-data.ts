import type { Dtype, NumberArray } from '@xlstm/device';
import { headMajor, type Layout, type LayoutParams, layoutParams, sequenceMajor } from '../layout.ts';
import type { MlstmShape } from '../shape.ts';
import { mlstmStateLength } from '../state.ts';

/** What cases draw from; the kernel harness's seeded generator is one. */
export interface RandomSource {
  /** Integer in [0, below). */
  integer(below: number): number;
  /** Standard normal. */
  normal(): number;
  normals(length: number, scale?: number, mean?: number): Float32Array;
}

/** How the operands of a made-up case lie: each in its own `[B, NH, S, width]`, or `[B, S, NH * width]` with gaps. */
export type Arrangement = 'head-major' | 'sequence-major';

/** What a made-up cell looks like. */
export interface CaseOptions {
  arrangement?: Arrangement;
  sigmoid?: boolean;
  normalize?: boolean;
  /** Standard deviation of the gates' pre-activations. */
  gates?: number;
  /** Adds gates at ±100 and −∞. */
  extremes?: boolean;
}

type Name = 'q' | 'k' | 'v' | 'i' | 'f' | 'h';

const GAP = 3;

function width(shape: MlstmShape, name: Name): number {
  if (name === 'i' || name === 'f') return 1;
  return name === 'q' || name === 'k' ? shape.DHQK : shape.DHHV;
}

/** Where the operand `name` lies in its own buffer, and how long that is. */
export function arrange(shape: MlstmShape, name: Name, arrangement: Arrangement): { layout: Layout; length: number } {
  const columns = shape.NH * width(shape, name);
  if (arrangement === 'head-major') {
    return { layout: headMajor(shape, width(shape, name)), length: shape.B * shape.S * columns };
  }
  const rows = shape.B * shape.S;
  return {
    layout: sequenceMajor(shape, width(shape, name), columns + GAP, 1),
    length: rows * (columns + GAP) - GAP + 1,
  };
}

/** The layout parameters of the named operands. */
export function layouts<N extends Name>(
  shape: MlstmShape,
  names: readonly N[],
  arrangement: Arrangement = 'head-major',
): Record<`${N}_${keyof Layout}`, number> {
  const entries = names.flatMap((name) =>
    Object.entries(arrange(shape, name, arrangement).layout).map(([part, value]) => [`${name}_${part}`, value]),
  );
  return Object.fromEntries(entries) as Record<`${N}_${keyof Layout}`, number>;
}

/** The layout parameters of one operand under another name. */
export function layoutAs<N extends string>(
  shape: MlstmShape,
  operand: Name,
  name: N,
  arrangement: Arrangement = 'head-major',
): LayoutParams<N> {
  return layoutParams(name, { layout: arrange(shape, operand, arrangement).layout });
}

/** The layout parameters of something with one element a step, contiguous. */
export function rowLayout<N extends string>(shape: MlstmShape, name: N): LayoutParams<N> {
  return layoutParams(name, { layout: headMajor(shape, 1) });
}

const EXTREMES = [100, -100, Number.NEGATIVE_INFINITY, -30, 30, 0, -1e30];

function gate(
  random: RandomSource,
  length: number,
  mean: number,
  { gates = 1, extremes = false }: CaseOptions,
): Float32Array {
  const values = random.normals(length, gates, mean);
  // Only a third: between closed gates, the ordinary ones must stay exact.
  if (extremes)
    for (let index = 1; index < length; index += 3) values[index] = EXTREMES[random.integer(EXTREMES.length)]!;
  return values;
}

/** Made-up contents of one operand. Keys and queries lean to one side, so that the normaliser is not all rounding. */
export function operandData(
  random: RandomSource,
  shape: MlstmShape,
  name: Exclude<Name, 'h'>,
  options: CaseOptions = {},
): { dtype: Dtype; data: NumberArray } {
  const { length } = arrange(shape, name, options.arrangement ?? 'head-major');
  if (name === 'i') return { dtype: 'fp32', data: gate(random, length, 0, options) };
  if (name === 'f') return { dtype: 'fp32', data: gate(random, length, 2, options) };
  return { dtype: 'fp32', data: random.normals(length, 1, name === 'v' ? 0 : 0.4) };
}

/** A made-up state; C and n small enough that the sequence matters, m around 0 (exactly 0 for the sigmoid gate). */
export function stateData(
  random: RandomSource,
  shape: MlstmShape,
  options: CaseOptions = {},
): { dtype: Dtype; data: NumberArray } {
  const data = random.normals(mlstmStateLength(shape), 0.5, 0.2);
  const heads = shape.B * shape.NH;
  const first = data.length - heads;
  for (let place = first; place < data.length; place++) data[place] = options.sigmoid ? 0 : random.normal();
  return { dtype: 'fp32', data };
}
