import { OptionError } from '@xlstm/device';
import {
  type BatchChunk,
  type BatchOptions,
  type BatchPrompts,
  type GeneratedBatch,
  type ResolvedPrompt,
  resolvePrompts,
} from '../batch-options.ts';
import { tellEnd } from '../end-before-begin.ts';
import type { GenerateResult } from '../generated-text.ts';
import type { Connection } from './connection.ts';
import type { BatchSequenceRequest, BatchStep, Handle } from './protocol.ts';
import { WorkerState } from './worker-state.ts';
import type { WorkerGenerateOptions } from './worker-stream.ts';

/** A batch that runs in a worker. Like the one at home, it starts when it is iterated or its result asked for. */
export class WorkerBatch implements GeneratedBatch {
  readonly #connection: Connection;
  readonly #prompts: readonly ResolvedPrompt<WorkerGenerateOptions>[];
  readonly #options: BatchOptions;
  /** Those of the prompts that have one, in order. */
  readonly #states: readonly WorkerState[];
  readonly #batch: Handle;
  #result: Promise<GenerateResult[]> | undefined;
  #settle: { resolve: (results: GenerateResult[]) => void; reject: (error: unknown) => void } | undefined;
  /** What an `onPrefill` threw. */
  #thrown: { error: unknown } | undefined;

  /** Made by `model.generateBatch`. */
  constructor(connection: Connection, prompts: BatchPrompts<WorkerGenerateOptions>, options: BatchOptions) {
    this.#prompts = resolvePrompts(prompts, options);
    this.#states = this.#prompts.flatMap(({ options: { state } }, index) => {
      if (state === undefined) return [];
      const operation = `generateBatch: prompts[${index}]`;
      if (!(state instanceof WorkerState && state.connection === connection)) {
        throw new OptionError(`${operation}: the state must be one of this model's; make it with model.createState()`);
      }
      state.assertLive(operation);
      return [state];
    });
    this.#connection = connection;
    this.#options = { ...options };
    this.#batch = connection.newHandle();
  }

  [Symbol.asyncIterator](): AsyncGenerator<BatchChunk, void> {
    if (this.#result) {
      throw new OptionError('generateBatch: a batch can be iterated once; call generateBatch() again, or use result()');
    }
    this.#result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Whoever iterates meets the error there; result() still rejects for whoever asks.
    this.#result.catch(() => {});
    return tellEnd(this.#iterate(), () =>
      this.#settle!.reject(new OptionError('generateBatch: closed before it began; call generateBatch() again')),
    );
  }

  result(): Promise<GenerateResult[]> {
    this.#result ??= this.#finish();
    return this.#result;
  }

  /** All at once: no chunk is sent. */
  async #finish(): Promise<GenerateResult[]> {
    const stop = await this.#start();
    try {
      const step = await this.#connection.call('finishBatch', this.#batch);
      this.#follow(step);
      return step.done ? step.results : [];
    } catch (error) {
      throw await this.#reason(error);
    } finally {
      stop();
    }
  }

  async *#iterate(): AsyncGenerator<BatchChunk, void> {
    const { resolve, reject } = this.#settle!;
    let running = true;
    let stop = (): void => {};
    try {
      stop = await this.#start();
      while (running) {
        const step = await this.#connection.call('nextOfBatch', this.#batch);
        this.#follow(step);
        if (!step.done) yield step.chunk;
        else {
          running = false;
          resolve(step.results);
        }
      }
    } catch (error) {
      running = false;
      const reason = await this.#reason(error);
      reject(reason);
      throw reason;
    } finally {
      stop();
      if (running) await this.#leave().then(resolve, reject);
    }
  }

  async #leave(): Promise<GenerateResult[]> {
    const step = await this.#connection.call('leaveBatch', this.#batch);
    this.#follow(step);
    return step.done ? step.results : [];
  }

  /** Sets the batch up in the worker. @returns a function that lets go of signals and callbacks */
  async #start(): Promise<() => void> {
    const stops: (() => void)[] = [];
    const follow = (signal: AbortSignal | undefined, handle: Handle): void => {
      const onAbort = (): void => this.#connection.tell('abort', handle);
      signal?.addEventListener('abort', onAbort);
      stops.push(() => signal?.removeEventListener('abort', onAbort));
    };
    const stop = (): void => {
      for (const each of stops) each();
    };
    const { signal, maxBatch } = this.#options;
    try {
      follow(signal, this.#batch);
      const sequences = this.#prompts.map(({ prompt, options }): BatchSequenceRequest => {
        const { signal: own, state, onPrefill, ...rest } = options;
        const sequence = this.#connection.newHandle();
        follow(own, sequence);
        if (onPrefill) stops.push(this.#hear(sequence, onPrefill));
        const aborted = own?.aborted ?? false;
        return { sequence, prompt, options: rest, state: state?.handle, reportPrefill: !!onPrefill, aborted };
      });
      const aborted = signal?.aborted ?? false;
      await this.#connection.call('generateBatch', { batch: this.#batch, sequences, maxBatch, aborted });
      return stop;
    } catch (error) {
      stop();
      throw error;
    }
  }

  #hear(sequence: Handle, onPrefill: (done: number, total: number) => void): () => void {
    return this.#connection.onPrefill(sequence, (done, total) => {
      try {
        onPrefill(done, total);
      } catch (error) {
        this.#thrown ??= { error };
        this.#connection.tell('abort', this.#batch);
      }
    });
  }

  #follow({ positions }: BatchStep): void {
    this.#states.forEach((state, index) => {
      state.position = positions[index]!;
    });
  }

  /** What to throw for a failure in the worker; the states may have moved on before it. */
  async #reason(error: unknown): Promise<unknown> {
    for (const state of this.#states) {
      if (state.disposed) continue;
      await this.#connection.call('statePosition', state.handle).then(
        (position) => {
          state.position = position;
        },
        () => {}, // The state or the worker is gone, as the error says.
      );
    }
    if (this.#thrown) return this.#thrown.error;
    const { signal } = this.#options;
    return error instanceof Error && error.name === 'AbortError' && signal?.aborted ? signal.reason : error;
  }
}
