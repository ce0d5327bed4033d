import { type FinishReason, nextTask } from '../generate.ts';
import { logprobsOf } from '../logprobs.ts';
import type { XLSTMLarge } from '../model.ts';
import { prefill } from '../prefill.ts';
import { prepareGeneration } from '../prepare-generation.ts';
import type { XlstmState } from '../state.ts';
import { BatchPlaces } from './batch-places.ts';
import {
  type BatchEnd,
  type BatchEvent,
  type CheckedRequest,
  DEFAULT_MAX_BATCH,
  type GenerateBatchOptions,
} from './batch-requests.ts';
import { BatchSequence } from './batch-sequence.ts';

interface TakenPlace {
  row: number;
  sequence: BatchSequence;
}

/** A batch on its way: who waits, who is in which place, and what has to be given back. */
export class BatchRun {
  readonly #model: XLSTMLarge;
  readonly #options: GenerateBatchOptions;
  readonly #waiting: BatchSequence[];
  /** Sequences that are not over, and what lets go of their states. */
  readonly #open = new Map<BatchSequence, () => void>();
  /** A GPU reads tokens into the state while the host learns of them. */
  readonly #overlap: boolean;
  #places: BatchPlaces<BatchSequence> | undefined;
  /** Where the prompts of requests without a state are read. */
  #scratch: XlstmState | undefined;

  constructor(model: XLSTMLarge, requests: readonly CheckedRequest[], options: GenerateBatchOptions) {
    this.#model = model;
    this.#options = options;
    this.#overlap = model.device.kind !== 'cpu';
    this.#waiting = requests.map((request) => new BatchSequence(request));
  }

  /** Reserves the callers' states and makes the places. */
  async begin(): Promise<void> {
    for (const sequence of this.#waiting) {
      const { index, state } = sequence.request;
      this.#open.set(sequence, state?.acquire(`generateBatch: requests[${index}]`) ?? (() => {}));
    }
    const drawing = this.#waiting.filter(({ left }) => left > 0);
    if (drawing.length === 0) return;
    this.#places = await BatchPlaces.make<BatchSequence>(this.#model, drawing.length, {
      maxBatch: this.#options.maxBatch ?? DEFAULT_MAX_BATCH,
      penalised: drawing.some(({ request }) => (request.sampling.repetitionPenalty ?? 1) !== 1),
      stepRunner: this.#options.stepRunner,
      signal: this.#options.signal,
    });
  }

  get over(): boolean {
    return this.#open.size === 0;
  }

  /** Whether someone waits who can come in. */
  get hasRoom(): boolean {
    return this.#waiting.length > 0 && (!this.#places || this.#places.free !== undefined);
  }

  /** Reads the prompt of the next one who waits and gives it a place, unless it is over by then. */
  async admit(): Promise<BatchEnd | undefined> {
    const sequence = this.#waiting.shift()!;
    const { promptIds, sampling, signal, onPrefill } = sequence.request;
    if (sequence.aborted) return this.#end(sequence, 'cancelled');
    sequence.begin();
    const state = sequence.request.state ?? this.#emptyState();
    try {
      const signals = [signal, this.#options.signal].filter((each) => each !== undefined);
      const either = signals.length > 1 ? AbortSignal.any(signals) : signals[0];
      await prepareGeneration(this.#model, state, { promptLength: promptIds.length, signal: either });
      await prefill(this.#model, [promptIds], state, { signal: either, onProgress: onPrefill });
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      if (!sequence.aborted || error !== signal?.reason) throw error;
      return this.#end(sequence, 'cancelled');
    }
    sequence.prefilled(state);
    if (sequence.left === 0) return this.#end(sequence, 'length');
    const places = this.#places!;
    const row = places.free!;
    places.enter(row, sequence, state);
    places.rows.begin(row, sampling, promptIds);
    if (this.#waiting.length === 0) this.#scratch?.dispose();
    return undefined;
  }

  #emptyState(): XlstmState {
    if (this.#scratch) this.#scratch.reset();
    else this.#scratch = this.#model.createState();
    return this.#scratch;
  }

  /** Draws and yields a token of each sequence, and ends those for which it was the last. */
  async *step(): AsyncGenerator<BatchEvent, void> {
    const places = this.#places;
    for (const place of places?.taken ?? []) {
      if (place.sequence.aborted) yield this.#leave(place, 'cancelled');
    }
    if (!places || places.taken.length === 0) return;
    if (this.#waiting.length === 0) await places.shrink();
    const { signal } = this.#options;
    signal?.throwIfAborted();
    const taken = places.taken;
    let advanced = false;
    const advance = (): void => {
      if (advanced || !taken.some(({ sequence }) => this.#goesOn(sequence))) return;
      places.step.advance();
      advanced = true;
      for (const { sequence } of taken) sequence.unread = undefined;
    };
    const drawn = places.step.sample();
    const logits = taken.map((place) => this.#readLogits(places, place));
    // Where several reads fail, the one awaited first tells.
    for (const read of [drawn, ...logits]) read.catch(() => {});
    // A token that was read in cannot be taken back: with a caller's state among them, not before it was yielded.
    if (this.#overlap && !taken.some(({ sequence }) => sequence.request.state)) {
      if (taken.some(({ sequence }) => sequence.left > 1)) advance();
    }
    const ids = await drawn;
    for (const [at, place] of taken.entries()) {
      const { row, sequence } = place;
      signal?.throwIfAborted();
      if (sequence.aborted) {
        yield this.#leave(place, 'cancelled');
        continue;
      }
      const id = ids[row]!;
      const [{ index, logprobs }, values] = [sequence.request, await logits[at]];
      sequence.token(id);
      if (advanced) sequence.unread = undefined;
      // The last token of the step is as good as yielded: the GPU may go on while its reader looks at it.
      else if (this.#overlap && at === taken.length - 1) {
        try {
          advance();
        } catch (error) {
          sequence.untoken();
          throw error;
        }
      }
      yield { type: 'token', index, id, ...(values ? { logprobs: logprobsOf(values, id, logprobs!) } : {}) };
    }
    advance();
    for (const place of taken) {
      const { finishReason } = place.sequence;
      if (finishReason && this.#open.has(place.sequence)) yield this.#leave(place, finishReason);
    }
    // The CPU device never waits for anything: without this, signals and timers would starve.
    if (!this.#overlap) await nextTask();
  }

  /** Whether anyone will want what comes after the token just drawn: its sequence, or the state's owner. */
  #goesOn(sequence: BatchSequence): boolean {
    return this.#open.has(sequence) && (sequence.request.state !== undefined || sequence.finishReason === undefined);
  }

  async #readLogits(
    places: BatchPlaces<BatchSequence>,
    { row, sequence }: TakenPlace,
  ): Promise<Float32Array | undefined> {
    if (sequence.request.logprobs === undefined) return undefined;
    const { vocabSize } = this.#model.config;
    return (await this.#model.device.read(places.state.logits, row * vocabSize, vocabSize)) as Float32Array;
  }

  /** Copies a sequence's past back to whom it belongs. */
  #giveBack({ row, sequence }: TakenPlace): void {
    const { state } = sequence.request;
    if (!state || state.disposed) return;
    this.#places!.copyTo(state, row);
    state.position = sequence.position;
  }

  #leave(place: TakenPlace, finishReason: FinishReason): BatchEnd {
    this.#giveBack(place);
    this.#places!.leave(place.row);
    return this.#end(place.sequence, finishReason);
  }

  #end(sequence: BatchSequence, finishReason: FinishReason): BatchEnd {
    const { index, signal } = sequence.request;
    const outcome = sequence.outcome(finishReason, this.#places?.step.dispatches ?? 0);
    this.#open.get(sequence)?.();
    this.#open.delete(sequence);
    this.#options.onEnd?.(index, outcome);
    return { type: 'end', index, outcome, ...(finishReason === 'cancelled' ? { reason: signal?.reason } : {}) };
  }

  /** Gives every state back, at the last token that was yielded, and releases the rest. */
  async close(failed: boolean): Promise<void> {
    try {
      for (const place of this.#places?.taken ?? []) await this.#breakOff(place);
    } catch (error) {
      // What ended the batch, such as a lost device, is what its caller hears of.
      if (!failed) throw error;
    } finally {
      const open = [...this.#open.keys()];
      this.#scratch?.dispose();
      this.#places?.dispose();
      for (const sequence of open) this.#end(sequence, sequence.finishReason ?? 'cancelled');
    }
  }

  async #breakOff(place: TakenPlace): Promise<void> {
    const { unread, request } = place.sequence;
    this.#giveBack(place);
    if (unread === undefined || !request.state || request.state.disposed) return;
    await prefill(this.#model, [[unread]], request.state);
  }
}
