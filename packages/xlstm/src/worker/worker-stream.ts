import { OptionError } from '@xlstm/device';
import { checkGenerateOptions, type GenerateOptions, stopsOf } from '../generate-options.ts';
import type { GenerateChunk, GeneratedText, GenerateResult } from '../generated-text.ts';
import type { Connection } from './connection.ts';
import type { GenerationStep, Handle } from './protocol.ts';
import { WorkerState } from './worker-state.ts';

/** Options of `generate` in a worker: the same ones, with the worker's states. */
export interface WorkerGenerateOptions extends Omit<GenerateOptions, 'state'> {
  /** The past to go on from. It stays the caller's and ends at the last token that was yielded. */
  state?: WorkerState;
}

/** A generation that runs in a worker. Like the one at home, it starts when it is iterated or its result asked for. */
export class WorkerStream implements GeneratedText {
  readonly #connection: Connection;
  readonly #prompt: string | number[];
  readonly #options: WorkerGenerateOptions;
  readonly #generation: Handle;
  #result: Promise<GenerateResult> | undefined;
  #settle: { resolve: (result: GenerateResult) => void; reject: (error: unknown) => void } | undefined;

  constructor(connection: Connection, prompt: string | ArrayLike<number>, options: WorkerGenerateOptions) {
    checkGenerateOptions(options);
    stopsOf(options.stop);
    const { state } = options;
    if (state !== undefined && !(state instanceof WorkerState && state.connection === connection)) {
      throw new OptionError("generate: the state must be one of this model's; make it with model.createState()");
    }
    state?.assertLive('generate');
    this.#connection = connection;
    this.#prompt = typeof prompt === 'string' ? prompt : Array.from(prompt);
    this.#options = { ...options };
    this.#generation = connection.newHandle();
  }

  [Symbol.asyncIterator](): AsyncGenerator<GenerateChunk, void> {
    if (this.#result) {
      throw new OptionError('generate: a stream can be iterated once; call generate() again, or use result()');
    }
    this.#result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Whoever iterates meets the error there; result() still rejects for whoever asks.
    this.#result.catch(() => {});
    return this.#iterate();
  }

  result(): Promise<GenerateResult> {
    this.#result ??= this.#finish();
    return this.#result;
  }

  /** All at once: no chunk is sent. */
  async #finish(): Promise<GenerateResult> {
    let result: GenerateResult | undefined;
    await this.#running(async () => {
      const step = await this.#connection.call('finish', this.#generation);
      this.#follow(step);
      if (step.done) result = step.result;
    });
    return result!;
  }

  async *#iterate(): AsyncGenerator<GenerateChunk, void> {
    const { resolve, reject } = this.#settle!;
    const stop = await this.#start().catch((error: unknown) => {
      reject(error);
      throw error;
    });
    let running = true;
    try {
      while (running) {
        const step = await this.#connection.call('next', this.#generation);
        this.#follow(step);
        if (step.done) {
          running = false;
          resolve(step.result);
        } else yield step.chunk;
      }
    } catch (error) {
      running = false;
      const reason = await this.#reason(error);
      reject(reason);
      throw reason;
    } finally {
      stop();
      if (running) await this.#leave(resolve, reject);
    }
  }

  async #leave(resolve: (result: GenerateResult) => void, reject: (error: unknown) => void): Promise<void> {
    try {
      const step = await this.#connection.call('leave', this.#generation);
      this.#follow(step);
      if (step.done) resolve(step.result);
    } catch (error) {
      reject(error);
    }
  }

  async #running(work: () => Promise<void>): Promise<void> {
    const stop = await this.#start();
    try {
      await work();
    } catch (error) {
      throw await this.#reason(error);
    } finally {
      stop();
    }
  }

  /** What `onPrefill` threw. */
  #thrown: { error: unknown } | undefined;

  /** Sets the generation up in the worker. @returns a function that lets go of signal and callback */
  async #start(): Promise<() => void> {
    const { signal, state, onPrefill, ...options } = this.#options;
    const connection = this.#connection;
    const generation = this.#generation;
    const onAbort = (): void => connection.tell('abort', generation);
    const deaf = onPrefill
      ? connection.onPrefill(generation, (done, total) => {
          try {
            onPrefill(done, total);
          } catch (error) {
            this.#thrown ??= { error };
            onAbort();
          }
        })
      : undefined;
    const stop = (): void => {
      signal?.removeEventListener('abort', onAbort);
      deaf?.();
    };
    signal?.addEventListener('abort', onAbort);
    try {
      await connection.call('generate', {
        generation,
        prompt: this.#prompt,
        options,
        state: state?.handle,
        reportPrefill: onPrefill !== undefined,
        aborted: signal?.aborted ?? false,
      });
      return stop;
    } catch (error) {
      stop();
      throw error;
    }
  }

  #follow({ position }: GenerationStep): void {
    if (this.#options.state) this.#options.state.position = position;
  }

  /** What to throw for a failure in the worker; the state may have moved on before it. */
  async #reason(error: unknown): Promise<unknown> {
    const { state, signal } = this.#options;
    if (state && !state.disposed) {
      await this.#connection.call('statePosition', state.handle).then(
        (position) => {
          state.position = position;
        },
        () => {}, // The state or the worker is gone, as the error says.
      );
    }
    if (this.#thrown) return this.#thrown.error;
    const aborted = error instanceof Error && error.name === 'AbortError' && signal?.aborted;
    return aborted ? signal.reason : error;
  }
}
