import { type DeviceBuffer, DtypeError, OptionError, ShapeError } from '@xlstm/device';
import type { Operand } from './layout.ts';
import { type MlstmShape, requireShape } from './shape.ts';
import { mlstmStateLength } from './state.ts';

/**
 * The buffers of one call, all fp32: `q, k [B, NH, S, DHQK]`, `v, h [B, NH, S, DHHV]`, pre-activations
 * `i, f [B, NH, S]`. All but `h` may share a buffer. `state` (see `mlstmStateLength`) holds the initial state on entry
 * and the last state on exit.
 */
export interface MlstmInputs {
  q: Operand;
  k: Operand;
  v: Operand;
  i: Operand;
  f: Operand;
  state: DeviceBuffer;
  h: Operand;
  /**
   * Gets what the backward pass needs of every step, fp32: planes m and signed denominator, each `[B, NH, S]`. For the
   * chunkwise and the parallel form.
   */
  readout?: DeviceBuffer;
  /**
   * `[B, NH]` u32, all zero, and left so: counters with which the step by step form does with one launch instead of two.
   * For `mlstmStep` and `mlstmRecurrent`.
   */
  arrivals?: DeviceBuffer;
}

/** Options that every form of the cell takes. */
export interface MlstmOptions {
  /** The input gate: `exp(i)`, stabilised by `m`, or `sigmoid(i)`, where `m` reads as 0 and is left at 0. */
  gate?: 'exp' | 'sigmoid';
  /** Whether the readout is divided by the normaliser; only the sigmoid gate can do without. Default true. */
  normalize?: boolean;
  /** Added to the normaliser, default 1e-6. */
  eps?: number;
}

/** The options as kernel parameters. */
export interface CellParams {
  sigmoid: number;
  normalize: number;
  eps: number;
}

/** Checks the options. Throws an `OptionError` that names the one at fault. */
export function cellParams(operation: string, options: MlstmOptions, known: readonly string[] = []): CellParams {
  const names = ['gate', 'normalize', 'eps', ...known];
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) {
      throw new OptionError(`${operation}: no option is called ${name}; it takes ${names.join(', ')}`);
    }
  }
  const { gate = 'exp', normalize = true, eps = 1e-6 } = options;
  if (gate !== 'exp' && gate !== 'sigmoid') {
    throw new OptionError(`${operation}: gate must be 'exp' or 'sigmoid', got ${JSON.stringify(gate)}; pick one`);
  }
  if (typeof normalize !== 'boolean') {
    throw new OptionError(`${operation}: normalize must be true or false, got ${JSON.stringify(normalize)}`);
  }
  if (!normalize && gate === 'exp') {
    throw new OptionError(
      `${operation}: normalize: false needs gate 'sigmoid', got gate 'exp', whose readout is only known up to exp(m); keep the normaliser`,
    );
  }
  if (!(Number.isFinite(eps) && eps >= 0)) {
    throw new OptionError(`${operation}: eps must be a finite number >= 0, got ${eps}; the default is 1e-6`);
  }
  return { sigmoid: gate === 'sigmoid' ? 1 : 0, normalize: normalize ? 1 : 0, eps };
}

export function requireOperand(
  operation: string,
  name: string,
  operand: Operand,
  shape: MlstmShape,
  width: number,
): void {
  const { buffer, layout } = operand;
  if (buffer.dtype !== 'fp32') {
    throw new DtypeError(
      `${operation}: ${name} must be fp32, got ${buffer.dtype} ("${buffer.label}"); convert it first`,
    );
  }
  for (const part of ['offset', 'batch', 'head', 'step'] as const) {
    if (!Number.isSafeInteger(layout[part]) || layout[part] < 0) {
      throw new ShapeError(
        `${operation}: layout.${part} of ${name} must be a non-negative integer, got ${layout[part]}; make it with headMajor or sequenceMajor`,
      );
    }
  }
  const { B, NH, S } = shape;
  const end = layout.offset + (B - 1) * layout.batch + (NH - 1) * layout.head + (S - 1) * layout.step + width;
  if (end > buffer.length) {
    throw new ShapeError(
      `${operation}: ${name} reaches element ${end} (B=${B}, NH=${NH}, S=${S}, width ${width}), buffer "${buffer.label}" has ${buffer.length}; pass a longer buffer or another layout`,
    );
  }
}

/** Whether two of the output's rows could fall together, which would make the result depend on timing. */
export function rowsOverlap({ layout }: Operand, shape: MlstmShape, width: number): boolean {
  const dimensions = [
    { size: shape.B, stride: layout.batch },
    { size: shape.NH, stride: layout.head },
    { size: shape.S, stride: layout.step },
  ].filter(({ size }) => size > 1);
  dimensions.sort((a, b) => a.stride - b.stride);
  let extent = width;
  for (const { size, stride } of dimensions) {
    if (stride < extent) return true;
    extent += (size - 1) * stride;
  }
  return false;
}

/** Checks a buffer of the planes C | n | m. */
export function requireState(operation: string, name: string, state: DeviceBuffer, shape: MlstmShape): void {
  if (state.dtype !== 'fp32') {
    throw new DtypeError(
      `${operation}: ${name} must be fp32, got ${state.dtype} ("${state.label}"); allocate it as fp32`,
    );
  }
  const length = mlstmStateLength(shape);
  if (state.length !== length) {
    throw new ShapeError(
      `${operation}: ${name} must have ${length} elements (C | n | m), got ${state.length} ("${state.label}"); allocate mlstmStateLength(shape)`,
    );
  }
}

/** Checks a buffer of the planes m | denominator. */
export function requireReadout(operation: string, readout: DeviceBuffer, { B, NH, S }: MlstmShape): void {
  if (readout.dtype !== 'fp32' || readout.length !== 2 * B * NH * S) {
    throw new ShapeError(
      `${operation}: readout must be fp32 of ${2 * B * NH * S} elements (m | denominator), got ${readout.length} ${readout.dtype} ("${readout.label}"); allocate 2 * B * NH * S`,
    );
  }
}

type Named = Readonly<Record<string, DeviceBuffer | undefined>>;

/** What is written must share its buffer with nothing else, since one launch cannot bind a buffer twice then. */
export function requireApart(operation: string, read: Named, written: Named): void {
  const outputs = Object.entries(written);
  for (const [place, [name, buffer]] of outputs.entries()) {
    if (!buffer) continue;
    for (const [other, taken] of [...Object.entries(read), ...outputs.slice(0, place)]) {
      if (taken === buffer) {
        throw new OptionError(
          `${operation}: ${other} and ${name}, which is written, share buffer "${buffer.label}"; use two`,
        );
      }
    }
  }
}

/** Checks shape and buffers before anything is queued. */
export function requireInputs(operation: string, shape: MlstmShape, inputs: MlstmInputs): void {
  requireShape(operation, shape);
  for (const name of ['q', 'k'] as const) requireOperand(operation, name, inputs[name], shape, shape.DHQK);
  for (const name of ['v', 'h'] as const) requireOperand(operation, name, inputs[name], shape, shape.DHHV);
  for (const name of ['i', 'f'] as const) requireOperand(operation, name, inputs[name], shape, 1);
  if (rowsOverlap(inputs.h, shape, shape.DHHV)) {
    throw new ShapeError(
      `${operation}: rows of h overlap in layout ${JSON.stringify(inputs.h.layout)} with DHHV=${shape.DHHV}; make it with headMajor or sequenceMajor`,
    );
  }
  const { q, k, v, i, f, state, h, readout } = inputs;
  requireState(operation, 'state', state, shape);
  if (readout) requireReadout(operation, readout, shape);
  requireApart(
    operation,
    { q: q.buffer, k: k.buffer, v: v.buffer, i: i.buffer, f: f.buffer },
    { h: h.buffer, state, readout },
  );
}
