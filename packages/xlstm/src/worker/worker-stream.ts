import { OptionError, XlstmError } from '@xlstm/device';
import type { TokenLogprobs } from '@xlstm/xlstm-large';
import { tellEnd } from '../end-before-begin.ts';
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

/** What a reader has read; the worker may be a token ahead. */
class ReadSoFar {
  #text = '';
  readonly #tokenIds: number[] = [];
  readonly #logprobs: TokenLogprobs[] = [];

  take({ text, tokenIds, logprobs }: GenerateChunk): void {
    this.#text += text;
    this.#tokenIds.push(...tokenIds);
    if (logprobs) this.#logprobs.push(...logprobs);
  }

  /** The result of a generation that was left here. */
  resultOf(result: GenerateResult): GenerateResult {
    const tokenIds = this.#tokenIds;
    return {
      ...result,
      text: this.#text,
      tokenIds,
      ...(result.logprobs ? { logprobs: this.#logprobs } : {}),
      usage: { ...result.usage, completionTokens: tokenIds.length },
      finishReason: 'cancelled',
    };
  }
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
    return tellEnd(this.#iterate(), () =>
      this.#settle!.reject(new OptionError('generate: the stream was closed before it began; call generate() again')),
    );
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
    const { signal, state } = this.#options;
    // A caller's state must not run ahead of its reader. Without one, the worker need not wait for the reader.
    const ahead = state ? 0 : 1;
    const asked: Promise<GenerationStep>[] = [];
    const read = new ReadSoFar();
    let running = true;
    let dropped = false;
    try {
      while (running) {
        while (asked.length <= ahead) asked.push(this.#ask());
        const step = await asked.shift()!;
        this.#follow(step);
        if (step.done) {
          running = false;
          if (dropped) throw signal!.reason;
          resolve(step.result);
        } else if (ahead && signal?.aborted) {
          // Made ahead, before the abort; the worker is about to end.
          dropped = true;
        } else {
          read.take(step.chunk);
          yield step.chunk;
        }
      }
    } catch (error) {
      running = false;
      const reason = await this.#reason(error);
      reject(reason);
      throw reason;
    } finally {
      stop();
      if (running) await this.#leave(asked, read).then(resolve, reject);
    }
  }

  /** Asks for the next chunk; that a generation is over is no news to those who asked ahead. */
  #ask(): Promise<GenerationStep> {
    const step = this.#connection.call('next', this.#generation);
    step.catch(() => {});
    return step;
  }

  async #leave(asked: readonly Promise<GenerationStep>[], read: ReadSoFar): Promise<GenerateResult> {
    const left = this.#connection.call('leave', this.#generation);
    left.catch(() => {});
    for (const each of asked) {
      const last = await each.catch(() => undefined);
      // The worker came to the end ahead of the reader: there was nothing left to leave.
      if (last?.done) return read.resultOf(last.result);
    }
    const step = await left;
    this.#follow(step);
    if (!step.done) throw new XlstmError('worker: a generation that was left goes on');
    return read.resultOf(step.result);
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
