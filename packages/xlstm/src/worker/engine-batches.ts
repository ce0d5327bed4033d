import { XlstmError } from '@xlstm/device';
import type { XlstmState } from '@xlstm/xlstm-large';
import type { BatchChunk, BatchPrompt } from '../batch-options.ts';
import type { BatchStream } from '../batch-stream.ts';
import type { XlstmModel } from '../from-pretrained.ts';
import type { BatchSequenceRequest, BatchStep, Calls, Handle, Response } from './protocol.ts';

/** What batches need of the engine. */
export interface EngineParts {
  model(): XlstmModel;
  state(handle: Handle): XlstmState;
  post(response: Response): void;
}

interface Batch {
  stream: BatchStream;
  /** Those of the prompts that have one, in order. */
  states: XlstmState[];
  /** Of the batch and of each of its sequences. */
  handles: Handle[];
  /** Undefined until the first chunk is asked for. */
  chunks?: AsyncGenerator<BatchChunk, void>;
}

/** The batches of an engine, behind handles. */
export class EngineBatches {
  readonly #engine: EngineParts;
  readonly #batches = new Map<Handle, Batch>();
  readonly #aborts = new Map<Handle, AbortController>();

  constructor(engine: EngineParts) {
    this.#engine = engine;
  }

  begin({ batch, sequences, maxBatch, aborted }: Parameters<Calls['generateBatch']>[0]): void {
    const handles = [batch, ...sequences.map(({ sequence }) => sequence)];
    const states = sequences.map(({ state }) => (state === undefined ? undefined : this.#engine.state(state)));
    try {
      const signal = this.#signalOf(batch, aborted);
      const prompts = sequences.map((request, index) => this.#promptOf(request, states[index]));
      const stream = this.#engine.model().generateBatch(prompts, { maxBatch, signal });
      this.#batches.set(batch, { stream, states: states.filter((state) => state !== undefined), handles });
    } catch (error) {
      for (const handle of handles) this.#aborts.delete(handle);
      throw error;
    }
  }

  #promptOf(request: BatchSequenceRequest, state: XlstmState | undefined): BatchPrompt {
    const { sequence, prompt, options, reportPrefill, aborted } = request;
    const tell = (done: number, total: number): void =>
      this.#engine.post({ type: 'prefill', generation: sequence, done, total });
    const own = { ...(state ? { state } : {}), ...(reportPrefill ? { onPrefill: tell } : {}) };
    return { prompt, options: { ...options, ...own, signal: this.#signalOf(sequence, aborted) } };
  }

  #signalOf(handle: Handle, aborted: boolean): AbortSignal {
    const abort = new AbortController();
    if (aborted) abort.abort();
    this.#aborts.set(handle, abort);
    return abort.signal;
  }

  /** Ends a batch or one of its sequences; one that is over hears nothing. */
  abort(handle: Handle): void {
    this.#aborts.get(handle)?.abort();
  }

  async next(handle: Handle): Promise<BatchStep> {
    const batch = this.#batch(handle);
    batch.chunks ??= batch.stream[Symbol.asyncIterator]();
    try {
      const step = await batch.chunks.next();
      if (!step.done) return { done: false, chunk: step.value, positions: positionsOf(batch) };
    } catch (error) {
      this.#forget(handle, batch);
      throw error;
    }
    return this.finish(handle);
  }

  async finish(handle: Handle): Promise<BatchStep> {
    const batch = this.#batch(handle);
    try {
      return { done: true, results: await batch.stream.result(), positions: positionsOf(batch) };
    } finally {
      this.#forget(handle, batch);
    }
  }

  async leave(handle: Handle): Promise<BatchStep> {
    await this.#batch(handle).chunks?.return();
    return this.finish(handle);
  }

  #batch(handle: Handle): Batch {
    const batch = this.#batches.get(handle);
    if (!batch) throw new XlstmError(`worker: batch ${handle} is over`);
    return batch;
  }

  #forget(handle: Handle, batch: Batch): void {
    this.#batches.delete(handle);
    for (const each of batch.handles) this.#aborts.delete(each);
  }
}

function positionsOf({ states }: Batch): number[] {
  return states.map(({ position }) => position);
}
