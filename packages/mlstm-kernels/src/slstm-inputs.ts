import { type DeviceBuffer, DtypeError, OptionError, ShapeError } from '@xlstm/device';
import type { Layout, Operand } from './layout.ts';
import type { SlstmInputLayout, SlstmInputOperand } from './slstm-layout.ts';
import { recurrentLength, type SlstmShape, slstmSavedLength, slstmStateLength } from './slstm-shape.ts';

/** The buffers of one call of `slstm`, all fp32. `y`, `state` and `saved` are written and each has a buffer of its own. */
export interface SlstmInputs {
  /** `[B, S, 4, NH, DH]`: what the gates i, f, z, o get from outside. */
  x: SlstmInputOperand;
  /** Recurrent weights, plain layout `[NH, 4 * DH, DH]`: output (gate, unit) of a head, then its input. */
  recurrent: DeviceBuffer;
  /** `[4, NH, DH]`: gate, head, unit. */
  bias: DeviceBuffer;
  /** Planes `y | c | n | m`, each `[B, NH * DH]`: the initial state on entry, the last one on exit. */
  state: DeviceBuffer;
  /** `[B, NH, S, DH]` by its layout. */
  y: Operand;
  /** Takes what `slstmBackward` needs, `slstmSavedLength(shape)` elements. */
  saved?: DeviceBuffer | undefined;
}

/** What `slstmBackward` reads, all fp32. */
export interface SlstmBackwardInputs {
  /** As given to `slstm`. */
  recurrent: DeviceBuffer;
  /** As `slstm` filled it. */
  saved: DeviceBuffer;
  /** As `slstm` wrote it. */
  y: Operand;
  /** The gradient of y, `[B, NH, S, DH]` by its layout; absent where only the last state counts. */
  dy?: Operand | undefined;
  /** The gradient of the last state, planes `y | c | n | m`; absent where nothing depends on it. */
  dlast?: DeviceBuffer | undefined;
}

/** Where the gradient of one input goes. */
export interface SlstmGradient {
  buffer: DeviceBuffer;
  /** Adds to what is there instead of replacing it. Default false. */
  accumulate?: boolean;
}

/** The gradients that are wanted, all fp32; absent ones are not computed. Each has a buffer of its own. */
export interface SlstmGradients {
  /** `[B, S, 4, NH, DH]` by its layout. */
  x?: (SlstmGradient & { layout: SlstmInputLayout }) | undefined;
  /** Plain layout `[NH, 4 * DH, DH]`. */
  recurrent?: SlstmGradient | undefined;
  /** `[4, NH, DH]`. */
  bias?: SlstmGradient | undefined;
  /** Of the initial state, planes `y | c | n | m`; may be the buffer of `dlast`. */
  state?: SlstmGradient | undefined;
}

function requireFloats(operation: string, name: string, buffer: DeviceBuffer): void {
  if (buffer.dtype !== 'fp32') {
    throw new DtypeError(
      `${operation}: ${name} must be fp32, got ${buffer.dtype} ("${buffer.label}"); convert it first`,
    );
  }
}

/** A contiguous buffer of exactly `length` elements, called `what` in the message. */
function requireLength(operation: string, name: string, buffer: DeviceBuffer, length: number, what: string): void {
  requireFloats(operation, name, buffer);
  if (buffer.length !== length) {
    throw new ShapeError(
      `${operation}: ${name} must have ${length} elements (${what}), got ${buffer.length} ("${buffer.label}")`,
    );
  }
}

function dimensions(shape: SlstmShape, layout: Layout | SlstmInputLayout): { size: number; stride: number }[] {
  return [
    { size: shape.B, stride: layout.batch },
    { size: shape.NH, stride: layout.head },
    { size: shape.S, stride: layout.step },
    ...('gate' in layout ? [{ size: 4, stride: layout.gate }] : []),
  ];
}

function requireOperand(
  operation: string,
  name: string,
  { buffer, layout }: Operand | SlstmInputOperand,
  shape: SlstmShape,
): void {
  requireFloats(operation, name, buffer);
  for (const [part, value] of Object.entries(layout)) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new ShapeError(
        `${operation}: layout.${part} of ${name} must be a non-negative integer, got ${value}; make it with slstmInputLayout, headMajor or sequenceMajor`,
      );
    }
  }
  const end = dimensions(shape, layout).reduce((sum, { size, stride }) => sum + (size - 1) * stride, layout.offset);
  if (end + shape.DH > buffer.length) {
    const { B, S, NH, DH } = shape;
    throw new ShapeError(
      `${operation}: ${name} reaches element ${end + DH} (B=${B}, S=${S}, NH=${NH}, DH=${DH}), buffer "${buffer.label}" has ${buffer.length}; pass a longer buffer or another layout`,
    );
  }
}

/** Rows of what is written must not fall together, which would make the result depend on timing. */
function requireApart(
  operation: string,
  name: string,
  { layout }: Operand | SlstmInputOperand,
  shape: SlstmShape,
): void {
  const nested = dimensions(shape, layout).filter(({ size }) => size > 1);
  nested.sort((a, b) => a.stride - b.stride);
  let extent = shape.DH;
  for (const { size, stride } of nested) {
    if (stride < extent) {
      throw new ShapeError(
        `${operation}: rows of ${name} overlap in layout ${JSON.stringify(layout)} with DH=${shape.DH}; make it with slstmInputLayout, headMajor or sequenceMajor`,
      );
    }
    extent += (size - 1) * stride;
  }
}

type Named = Readonly<Record<string, DeviceBuffer | undefined>>;

/** No written buffer may be bound a second time. */
function requireOwnBuffers(operation: string, written: Named, read: Named): void {
  for (const [name, buffer] of Object.entries(written)) {
    if (!buffer) continue;
    for (const [other, candidate] of Object.entries({ ...read, ...written })) {
      if (other !== name && candidate === buffer) {
        throw new OptionError(
          `${operation}: ${other} and ${name}, which is written, share buffer "${buffer.label}"; use two`,
        );
      }
    }
  }
}

/** Checks the buffers of `slstm` before anything is queued. */
export function requireSlstmInputs(operation: string, shape: SlstmShape, inputs: SlstmInputs): void {
  const { x, recurrent, bias, state, y, saved } = inputs;
  const { NH, DH } = shape;
  requireOperand(operation, 'x', x, shape);
  requireLength(operation, 'recurrent', recurrent, recurrentLength(shape), '[NH, 4 * DH, DH]');
  requireLength(operation, 'bias', bias, 4 * NH * DH, '[4, NH, DH]');
  requireLength(operation, 'state', state, slstmStateLength(shape), 'y | c | n | m');
  requireOperand(operation, 'y', y, shape);
  requireApart(operation, 'y', y, shape);
  if (saved) requireLength(operation, 'saved', saved, slstmSavedLength(shape), 'slstmSavedLength(shape)');
  requireOwnBuffers(operation, { y: y.buffer, state, saved }, { x: x.buffer, recurrent, bias });
}

/** Checks the buffers of `slstmBackward` before anything is queued. */
export function requireBackwardInputs(
  operation: string,
  shape: SlstmShape,
  { recurrent, saved, y, dy, dlast }: SlstmBackwardInputs,
  gradients: SlstmGradients,
): void {
  const { NH, DH } = shape;
  const weights = recurrentLength(shape);
  requireLength(operation, 'recurrent', recurrent, weights, '[NH, 4 * DH, DH]');
  requireLength(operation, 'saved', saved, slstmSavedLength(shape), 'slstmSavedLength(shape)');
  requireOperand(operation, 'y', y, shape);
  if (dy) requireOperand(operation, 'dy', dy, shape);
  if (dlast) requireLength(operation, 'dlast', dlast, slstmStateLength(shape), 'y | c | n | m');
  const targets: Named = {
    'the gradient of x': gradients.x?.buffer,
    'the gradient of recurrent': gradients.recurrent?.buffer,
    'the gradient of bias': gradients.bias?.buffer,
    'the gradient of state': gradients.state?.buffer,
  };
  if (gradients.x) {
    requireOperand(operation, 'the gradient of x', gradients.x, shape);
    requireApart(operation, 'the gradient of x', gradients.x, shape);
  }
  for (const [name, length, what] of [
    ['recurrent', weights, '[NH, 4 * DH, DH]'],
    ['bias', 4 * NH * DH, '[4, NH, DH]'],
    ['state', slstmStateLength(shape), 'y | c | n | m'],
  ] as const) {
    const target = gradients[name];
    if (target) requireLength(operation, `the gradient of ${name}`, target.buffer, length, what);
  }
  for (const name of Object.keys(gradients)) {
    if (!['x', 'recurrent', 'bias', 'state'].includes(name)) {
      throw new OptionError(`${operation}: there is no gradient of ${name}; ask for x, recurrent, bias or state`);
    }
  }
  requireOwnBuffers(operation, targets, { recurrent, saved, y: y.buffer, dy: dy?.buffer });
  if (dlast && dlast !== gradients.state?.buffer) requireOwnBuffers(operation, targets, { dlast });
}
