import type { XLSTMLarge } from '../model.ts';
import type { XlstmState } from '../state.ts';
import type { RowSampling } from './row-sampling.ts';

/** One step of all sequences of a state, however it is computed. */
export interface StepRunner {
  /** Kernel launches per step. */
  readonly dispatches: number;
  /** Draws the next token of each sequence from the state's logits; resolves as soon as they are known. */
  sample(): Promise<Int32Array>;
  /** Queues the reading of the drawn tokens into the state, which then has the logits of what follows them. */
  advance(): void;
  dispose(): void;
}

/**
 * Makes the step for a state of several sequences. The settings in `rows` change between steps, as do the state's contents:
 * what is recorded must read both where they are.
 */
export type StepRunnerFactory = (model: XLSTMLarge, state: XlstmState, rows: RowSampling) => StepRunner;
