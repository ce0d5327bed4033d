import { DisposedError, type LiveBuffers, OptionError, type WeightDtype } from '@xlstm/device';
import type { DecodeOptions, EncodeOptions } from '@xlstm/tokenizer';
import type { XlstmLargeConfig } from '@xlstm/xlstm-large';
import type { BatchOptions, BatchPrompts } from '../batch-options.ts';
import type { Connection } from './connection.ts';
import type { ModelFacts, TokenizerFacts } from './protocol.ts';
import { WorkerBatch } from './worker-batch.ts';
import { WorkerState } from './worker-state.ts';
import { type WorkerGenerateOptions, WorkerStream } from './worker-stream.ts';

/** A tokenizer that lives in a worker: what it is at once, what it does as promises. */
export interface WorkerTokenizer extends TokenizerFacts {
  encode(text: string, options?: EncodeOptions): Promise<number[]>;
  decode(ids: ArrayLike<number>, options?: DecodeOptions): Promise<string>;
}

/** A device that lives in a worker. */
export type WorkerDevice = Readonly<ModelFacts['device']> & { liveBuffers(): Promise<LiveBuffers> };

/**
 * A model that computes in a worker, used like an `XlstmModel`. What needs an answer from the worker is a promise:
 * `importState` and the tokenizer; `await` them, and the same lines serve both.
 */
export class WorkerModel implements AsyncDisposable {
  readonly config: XlstmLargeConfig;
  readonly dtype: WeightDtype;
  /** Which device was taken and why, in one sentence. */
  readonly deviceReason: string;
  readonly device: WorkerDevice;
  readonly tokenizer: WorkerTokenizer;
  /** Which model this is, whatever dtype it was loaded in. States carry it. */
  readonly fingerprint: string;
  readonly #connection: Connection;
  #disposing: Promise<void> | undefined;

  /** Made by `fromPretrained` of `xlstm/worker`. */
  constructor(connection: Connection, facts: ModelFacts) {
    this.#connection = connection;
    this.config = facts.config;
    this.dtype = facts.dtype;
    this.fingerprint = facts.fingerprint;
    this.deviceReason = facts.deviceReason;
    this.device = { ...facts.device, liveBuffers: () => this.#live('liveBuffers').call('liveBuffers') };
    this.tokenizer = {
      ...facts.tokenizer,
      encode: async (text, options) => this.#live('encode').call('encode', text, options),
      decode: async (ids, options) => this.#live('decode').call('decode', Array.from(ids), options),
    };
  }

  get disposed(): boolean {
    return this.#disposing !== undefined;
  }

  /** An empty past, to be passed to `generate` again and again. Yours to dispose. */
  createState(): WorkerState {
    const connection = this.#live('createState');
    const state = new WorkerState(connection, connection.newHandle());
    connection.tell('createState', state.handle);
    return state;
  }

  /** `state.export()`, for a state of this model's. @throws OptionError for another's */
  async exportState(state: WorkerState): Promise<Uint8Array<ArrayBuffer>> {
    const connection = this.#live('exportState');
    if (!(state instanceof WorkerState && state.connection === connection)) {
      throw new OptionError("exportState: the state must be one of this model's; make it with model.createState()");
    }
    return state.export();
  }

  /** A state from the bytes of `state.export()`; yours to dispose. @throws StateError for another model's, cut or damaged bytes. */
  async importState(bytes: Uint8Array): Promise<WorkerState> {
    const connection = this.#live('importState');
    const handle = connection.newHandle();
    const { position } = await connection.call('importState', handle, bytes);
    return new WorkerState(connection, handle, position);
  }

  /**
   * Continues a prompt. BOS is put in front unless a state with a past is given.
   *
   * @param prompt text, or token ids as they are
   * @throws OptionError for unknown options, at once; for values out of range, when it starts
   * @example
   * ```ts
   * for await (const { text } of model.generate('Once upon a time', { maxNewTokens: 64 })) output.append(text)
   * ```
   */
  generate(prompt: string | ArrayLike<number>, options: WorkerGenerateOptions = {}): WorkerStream {
    return new WorkerStream(this.#live('generate'), prompt, options);
  }

  /**
   * Continues several prompts together, as `generateBatch` of `xlstm` does; states are this model's own. The batch goes on
   * when its next chunk is asked for.
   *
   * @param prompts texts, token ids as they are, or `{ prompt, options }`; one at least
   * @throws OptionError for unknown options and an empty list, at once; for values out of range, when it starts
   */
  generateBatch(prompts: BatchPrompts<WorkerGenerateOptions>, options: BatchOptions = {}): WorkerBatch {
    return new WorkerBatch(this.#live('generateBatch'), prompts, options);
  }

  #live(operation: string): Connection {
    if (this.disposed) throw new DisposedError(`${operation}: the model was disposed; load it again`);
    this.#connection.assertOpen();
    return this.#connection;
  }

  /** Releases the weights, all states and the device, and ends the worker unless it is yours. */
  dispose(): Promise<void> {
    this.#disposing ??= this.#dispose();
    return this.#disposing;
  }

  async #dispose(): Promise<void> {
    try {
      await this.#connection.call('dispose');
    } catch {
      // A worker that is gone holds nothing any more.
    }
    await this.#connection.end(new DisposedError('worker: the model was disposed; load it again'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}
