import { type DeviceBuffer, OptionError, ShapeError } from '@xlstm/device';
import { requireApart, requireOperand, requireReadout, requireState, rowsOverlap } from './inputs.ts';
import type { Layout, Operand } from './layout.ts';
import { type MlstmShape, requireShape } from './shape.ts';

/** What the backward pass reads, all fp32. Everything may share buffers with everything here. */
export interface MlstmBackwardInputs {
  /** The forward pass's inputs: `q, k [B, NH, S, DHQK]`, `v [B, NH, S, DHHV]`, pre-activations `i, f [B, NH, S]`. */
  q: Operand;
  k: Operand;
  v: Operand;
  i: Operand;
  f: Operand;
  /** The state at entry. The forward pass overwrites its `state`, so this is a copy made before. */
  initial: DeviceBuffer;
  /** What the forward pass left: its output `[B, NH, S, DHHV]` and its `readout`. */
  h: Operand;
  readout: DeviceBuffer;
  /** The gradient of h, `[B, NH, S, DHHV]`. */
  dh: Operand;
  /**
   * The gradient of the last state, planes dC | dn | dm; zero when absent. All three count: where what follows only
   * depends on C·exp(m) and n·exp(m), dm is ⟨C, dC⟩ + ⟨n, dn⟩, as in the `dinitial` of a call that goes on from there.
   */
  dlast?: DeviceBuffer;
}

/** Where gradients go, all fp32. `dq`, `dk`, `dv`, `di` and `df` may be parts of one buffer; no part may overlap. */
export interface MlstmGradients {
  dq: Operand;
  dk: Operand;
  dv: Operand;
  di: Operand;
  df: Operand;
  /** Gets the gradient of the initial state: planes dC | dn | dm; dm is 0 with the sigmoid gate. */
  dinitial?: DeviceBuffer;
}

const NAMES = ['dq', 'dk', 'dv', 'di', 'df'] as const;

/** Whether both operands are columns of rows that lie alike; others in one buffer are not compared. */
function sameRows(a: Layout, b: Layout): boolean {
  return a.batch === b.batch && a.step === b.step;
}

/** Whether two ranges of columns of the same rows share an element. */
function columnsMeet(a: Layout, aWidth: number, b: Layout, bWidth: number, heads: number): boolean {
  for (let x = 0; x < heads; x++) {
    for (let y = 0; y < heads; y++) {
      const [aStart, bStart] = [a.offset + x * a.head, b.offset + y * b.head];
      if (aStart < bStart + bWidth && bStart < aStart + aWidth) return true;
    }
  }
  return false;
}

/** Checks shape and buffers of a backward pass before anything is queued. */
export function requireBackward(
  operation: string,
  shape: MlstmShape,
  inputs: MlstmBackwardInputs,
  gradients: MlstmGradients,
): void {
  requireShape(operation, shape);
  const { q, k, v, i, f, h, dh, initial, readout, dlast } = inputs;
  const widths = { dq: shape.DHQK, dk: shape.DHQK, dv: shape.DHHV, di: 1, df: 1 };
  const read = { q: shape.DHQK, k: shape.DHQK, v: shape.DHHV, i: 1, f: 1, h: shape.DHHV, dh: shape.DHHV };
  for (const name of ['q', 'k', 'v', 'i', 'f', 'h', 'dh'] as const) {
    requireOperand(operation, name, inputs[name], shape, read[name]);
  }
  for (const name of NAMES) requireOperand(operation, name, gradients[name], shape, widths[name]);
  requireState(operation, 'initial', initial, shape);
  requireReadout(operation, readout, shape);
  if (dlast) requireState(operation, 'dlast', dlast, shape);
  if (gradients.dinitial) requireState(operation, 'dinitial', gradients.dinitial, shape);
  for (const [place, name] of NAMES.entries()) {
    const { buffer, layout } = gradients[name];
    if (rowsOverlap(gradients[name], shape, widths[name])) {
      throw new ShapeError(
        `${operation}: rows of ${name} overlap in layout ${JSON.stringify(layout)} with width ${widths[name]}; make it with headMajor or sequenceMajor`,
      );
    }
    for (const other of NAMES.slice(0, place)) {
      const second = gradients[other];
      if (second.buffer !== buffer || !sameRows(layout, second.layout)) continue;
      if (columnsMeet(layout, widths[name], second.layout, widths[other], shape.NH)) {
        throw new ShapeError(
          `${operation}: ${other} and ${name} overlap in buffer "${buffer.label}"; give each columns of its own`,
        );
      }
    }
    const taken = { q, k, v, i, f, h, dh };
    const buffers = Object.fromEntries(Object.entries(taken).map(([key, operand]) => [key, operand.buffer]));
    requireApart(operation, { ...buffers, initial, readout, dlast }, { [name]: buffer, dinitial: gradients.dinitial });
  }
}

/** Checks the option. */
export function requireAccumulate(operation: string, accumulate: unknown): asserts accumulate is boolean {
  if (typeof accumulate !== 'boolean') {
    throw new OptionError(`${operation}: accumulate must be true or false, got ${JSON.stringify(accumulate)}`);
  }
}
