import { DisposedError, OptionError, XlstmError } from '@xlstm/device';
import { blobSource, openCheckpoint } from '@xlstm/loaders';
import type { XlstmState } from '@xlstm/xlstm-large';
import { type FromPretrainedOptions, fromPretrained, type XlstmModel } from '../from-pretrained.ts';
import type { GenerateOptions } from '../generate-options.ts';
import type { GenerateStream } from '../generate-stream.ts';
import type { GenerateChunk } from '../generated-text.ts';
import { DownloadNews } from './download-news.ts';
import { EngineBatches } from './engine-batches.ts';
import { transferError } from './error-transfer.ts';
import {
  type CallName,
  type Calls,
  type GenerationStep,
  type Handle,
  isRequest,
  type ModelFacts,
  PROTOCOL_VERSION,
  type Request,
  type Response,
  shown,
} from './protocol.ts';

type Handlers = {
  [Name in CallName]: (...given: Parameters<Calls[Name]>) => ReturnType<Calls[Name]> | Promise<ReturnType<Calls[Name]>>;
};

interface Generation {
  stream: GenerateStream;
  state: XlstmState | undefined;
  abort: AbortController;
  /** Undefined until the first chunk is asked for. */
  chunks?: AsyncGenerator<GenerateChunk, void>;
}

type LoadRequest = Parameters<Calls['load']>[0];

function factsOf({ config, dtype, deviceReason, device, model, tokenizer }: XlstmModel): ModelFacts {
  const { kind, vocabSize, bosId, eosIds, padId, specialTokens, addsBos } = tokenizer;
  return {
    config,
    dtype,
    fingerprint: model.fingerprint,
    deviceReason,
    device: { kind: device.kind, name: device.name, info: device.info },
    tokenizer: { kind, vocabSize, bosId, eosIds, padId, specialTokens, addsBos },
  };
}

/** The side of the protocol that computes: one model, its states and its generations, behind handles. */
export class WorkerEngine {
  readonly #post: (response: Response) => void;
  #model: XlstmModel | undefined;
  #loading: AbortController | undefined;
  /** A state that could not be made is the error that says why, and throws it at its first use. */
  readonly #states = new Map<Handle, XlstmState | Error>();
  readonly #generations = new Map<Handle, Generation>();

  readonly #batches = new EngineBatches({
    model: () => this.#live(),
    state: (handle) => this.#state(handle),
    post: (response) => this.#post(response),
  });

  constructor(post: (response: Response) => void) {
    this.#post = post;
  }

  /** Takes a message. @throws XlstmError for one that the protocol does not have. */
  receive(message: unknown): void {
    if (!isRequest(message)) {
      throw new XlstmError(
        `worker: expected a message of xlstm's protocol, got ${shown(message)}; leave the worker to the model that was loaded into it`,
      );
    }
    void this.#answer(message);
  }

  async #answer({ id, call, arguments: given }: Request): Promise<void> {
    try {
      const handler = this.#handlers[call] as (...given: unknown[]) => ReturnType<Handlers[CallName]>;
      this.#post({ type: 'done', id, value: await handler(...given) });
    } catch (error) {
      this.#post({ type: 'failed', id, error: transferError(error) });
    }
  }

  readonly #handlers: Handlers = {
    load: (request) => this.#load(request),
    abortLoad: () => this.#loading?.abort(),
    createState: (state) => this.#keep(state, () => this.#live().createState()),
    cloneState: (state, from) => {
      this.#keep(state, () => this.#state(from).clone());
      return { position: this.#state(state).position };
    },
    resetState: (state) => this.#state(state).reset(),
    disposeState: (handle) => {
      const state = this.#states.get(handle);
      this.#states.delete(handle);
      if (state && !(state instanceof Error)) state.dispose();
    },
    statePosition: (state) => this.#state(state).position,
    exportState: (state) => this.#state(state).export(),
    importState: (handle, bytes) => {
      const state = this.#live().importState(bytes);
      this.#states.set(handle, state);
      return { position: state.position };
    },
    encode: (text, options) => this.#live().tokenizer.encode(text, options),
    decode: (ids, options) => this.#live().tokenizer.decode(ids, options),
    generate: (request) => this.#begin(request),
    next: (generation) => this.#next(generation),
    finish: (generation) => this.#end(generation, async () => {}),
    leave: (generation) => this.#end(generation, async ({ chunks }) => void (await chunks?.return())),
    generateBatch: (request) => this.#batches.begin(request),
    nextOfBatch: (batch) => this.#batches.next(batch),
    finishBatch: (batch) => this.#batches.finish(batch),
    leaveBatch: (batch) => this.#batches.leave(batch),
    abort: (handle) => {
      this.#generations.get(handle)?.abort.abort();
      this.#batches.abort(handle);
    },
    liveBuffers: () => this.#live().device.liveBuffers(),
    dispose: async () => {
      await this.#model?.dispose();
      this.#model = undefined;
      this.#states.clear();
    },
  };

  async #load({ version, source, options, reportProgress, reportDownload }: LoadRequest): Promise<ModelFacts> {
    if (version !== PROTOCOL_VERSION) {
      throw new OptionError(
        `worker: its version of the protocol is ${PROTOCOL_VERSION}, the page's is ${version}; deploy both from one release`,
      );
    }
    if (this.#model || this.#loading) {
      throw new OptionError('worker: it has a model already; dispose that one, or give each model its own worker');
    }
    const loading = new AbortController();
    this.#loading = loading;
    const news = new DownloadNews((events) => this.#post({ type: 'download', events }));
    const given: FromPretrainedOptions = {
      ...options,
      signal: loading.signal,
      ...(reportProgress ? { onProgress: (progress) => this.#post({ type: 'progress', progress }) } : {}),
      ...(reportDownload ? { onDownload: (event) => news.hear(event) } : {}),
    };
    try {
      const model = await this.#open(source, given);
      if (loading.signal.aborted) {
        await model.dispose();
        loading.signal.throwIfAborted();
      }
      this.#model = model;
      return factsOf(model);
    } finally {
      news.end();
      this.#loading = undefined;
    }
  }

  async #open(source: LoadRequest['source'], options: FromPretrainedOptions): Promise<XlstmModel> {
    if (typeof source === 'string') return fromPretrained(source, options);
    const sources = source.map(({ blob, name }) => blobSource(blob, name));
    const checkpoint = await openCheckpoint(sources, { signal: options.signal });
    try {
      return await fromPretrained(checkpoint, options);
    } finally {
      await checkpoint.close();
      for (const each of sources) await each.close();
    }
  }

  #live(): XlstmModel {
    if (!this.#model) throw new DisposedError('worker: there is no model, or it was disposed; load one');
    return this.#model;
  }

  #keep(handle: Handle, make: () => XlstmState): void {
    try {
      this.#states.set(handle, make());
    } catch (error) {
      this.#states.set(handle, error as Error);
    }
  }

  #state(handle: Handle): XlstmState {
    const state = this.#states.get(handle);
    if (!state) throw new DisposedError('worker: the state was disposed; create a new one');
    if (state instanceof Error) throw state;
    return state;
  }

  #begin(request: Parameters<Calls['generate']>[0]): void {
    const { generation, prompt, options, reportPrefill } = request;
    const state = request.state === undefined ? undefined : this.#state(request.state);
    const abort = new AbortController();
    if (request.aborted) abort.abort();
    const given: GenerateOptions = {
      ...options,
      signal: abort.signal,
      ...(state ? { state } : {}),
      ...(reportPrefill
        ? { onPrefill: (done, total) => this.#post({ type: 'prefill', generation, done, total }) }
        : {}),
    };
    this.#generations.set(generation, { stream: this.#live().generate(prompt, given), state, abort });
  }

  #generation(handle: Handle): Generation {
    const generation = this.#generations.get(handle);
    if (!generation) throw new XlstmError(`worker: generation ${handle} is over`);
    return generation;
  }

  async #next(handle: Handle): Promise<GenerationStep> {
    const generation = this.#generation(handle);
    generation.chunks ??= generation.stream[Symbol.asyncIterator]();
    try {
      const step = await generation.chunks.next();
      if (!step.done) return { done: false, chunk: step.value, position: generation.state?.position ?? 0 };
    } catch (error) {
      this.#generations.delete(handle);
      throw error;
    }
    return this.#end(handle, async () => {});
  }

  async #end(handle: Handle, how: (generation: Generation) => Promise<void>): Promise<GenerationStep> {
    const generation = this.#generation(handle);
    try {
      await how(generation);
      const result = await generation.stream.result();
      return { done: true, result, position: generation.state?.position ?? 0 };
    } finally {
      this.#generations.delete(handle);
    }
  }
}
