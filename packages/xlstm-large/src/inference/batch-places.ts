import { OutOfMemoryError } from '@xlstm/device';
import type { XLSTMLarge } from '../model.ts';
import { prepareRows } from '../prepare-generation.ts';
import type { XlstmState } from '../state.ts';
import { recordedStep } from './recorded-step.ts';
import { RowSampling } from './row-sampling.ts';
import { copyStateRow } from './state-rows.ts';
import type { StepRunner, StepRunnerFactory } from './step-runner.ts';

/**
 * Places for `count` sequences: the next power of two, `maxBatch` at most. A batch is recorded anew, and every state in it
 * copied, when it shrinks: with powers of two that happens a few times over its life and not at every end, and less than
 * half of the places ever idle, each of which costs a step no more than the reading and writing of its state.
 */
export function placesFor(count: number, maxBatch: number): number {
  return Math.min(maxBatch, 2 ** Math.ceil(Math.log2(Math.max(1, count))));
}

/** One size of the batch: its state, how its rows are sampled, and the recorded step. */
interface Recorded {
  state: XlstmState;
  rows: RowSampling;
  step: StepRunner;
}

/** What `BatchPlaces` is made of. */
export interface BatchPlacesOptions {
  maxBatch: number;
  /** Whether any sequence has a repetition penalty. */
  penalised: boolean;
  /** By default the step of the readable model, recorded. */
  stepRunner: StepRunnerFactory | undefined;
  /** Ends what waits for shaders to be compiled. */
  signal: AbortSignal | undefined;
}

/** The rows of a batched state, and who is in them. */
export class BatchPlaces<Sequence> implements Disposable {
  readonly #model: XLSTMLarge;
  readonly #options: BatchPlacesOptions;
  #recorded: Recorded;
  #sequences: (Sequence | undefined)[];

  private constructor(model: XLSTMLarge, options: BatchPlacesOptions, recorded: Recorded) {
    this.#model = model;
    this.#options = options;
    this.#recorded = recorded;
    this.#sequences = new Array<Sequence | undefined>(recorded.state.batch).fill(undefined);
  }

  /**
   * Places for `count` sequences, `maxBatch` at most.
   *
   * @throws OutOfMemoryError where the device cannot bind so many states; `signal.reason` on abort; DeviceLostError
   */
  static async make<Sequence>(
    model: XLSTMLarge,
    count: number,
    options: BatchPlacesOptions,
  ): Promise<BatchPlaces<Sequence>> {
    return new BatchPlaces(model, options, await record(model, placesFor(count, options.maxBatch), options));
  }

  get state(): XlstmState {
    return this.#recorded.state;
  }

  get rows(): RowSampling {
    return this.#recorded.rows;
  }

  get step(): StepRunner {
    return this.#recorded.step;
  }

  get size(): number {
    return this.#sequences.length;
  }

  /** Who is there, with their rows. */
  get taken(): { row: number; sequence: Sequence }[] {
    return this.#sequences.flatMap((sequence, row) => (sequence === undefined ? [] : [{ row, sequence }]));
  }

  /** The first free row. */
  get free(): number | undefined {
    const row = this.#sequences.indexOf(undefined);
    return row < 0 ? undefined : row;
  }

  /** A sequence comes into a row with the past in `from`, of batch 1. */
  enter(row: number, sequence: Sequence, from: XlstmState): void {
    copyStateRow(from, 0, this.state, row);
    this.#sequences[row] = sequence;
  }

  /** Copies the past of a row into a state of batch 1. */
  copyTo(state: XlstmState, row: number): void {
    copyStateRow(this.state, row, state, 0);
  }

  /** A row becomes free. */
  leave(row: number): void {
    this.#sequences[row] = undefined;
    this.rows.idle(row);
  }

  /** Moves everybody to fewer places, where fewer do. */
  async shrink(): Promise<void> {
    const taken = this.taken;
    const places = placesFor(taken.length, this.#options.maxBatch);
    if (places >= this.size) return;
    const [old, next] = [this.#recorded, await record(this.#model, places, this.#options)];
    taken.forEach(({ row }, to) => {
      copyStateRow(old.state, row, next.state, to);
      next.rows.take(to, old.rows, row);
    });
    this.#recorded = next;
    this.#sequences = Array.from({ length: places }, (_, row) => taken[row]?.sequence);
    release(old);
  }

  dispose(): void {
    release(this.#recorded);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

async function record(model: XLSTMLarge, batch: number, options: BatchPlacesOptions): Promise<Recorded> {
  const { penalised, stepRunner, signal } = options;
  const made: Partial<Recorded> = {};
  try {
    const state = model.createState(batch);
    made.state = state;
    const rows = new RowSampling(model.device, { batch, vocabSize: model.config.vocabSize, penalised });
    made.rows = rows;
    if (!stepRunner) await prepareRows(model, state, rows, { signal });
    return { state, rows, step: (stepRunner ?? recordedStep)(model, state, rows) };
  } catch (error) {
    release(made);
    if (!(error instanceof OutOfMemoryError) || batch === 1) throw error;
    throw new OutOfMemoryError(
      `generateBatch: the states of ${batch} sequences do not fit on ${model.device.name}; lower maxBatch. ${error.message}`,
      { cause: error },
    );
  }
}

function release({ state, rows, step }: Partial<Recorded>): void {
  step?.dispose();
  rows?.dispose();
  state?.dispose();
}
