import { Device, type DeviceChoice, DisposedError, OptionError, selectDevice, type WeightDtype } from '@xlstm/device';
import type { Checkpoint } from '@xlstm/loaders';
import type { Tokenizer } from '@xlstm/tokenizer';
import {
  exportState,
  importState,
  type LoadProgress,
  parseConfig,
  XLSTMLarge,
  type XlstmLargeConfig,
  type XlstmState,
} from '@xlstm/xlstm-large';
import { type BatchOptions, type BatchPrompts, resolvePrompts } from './batch-options.ts';
import { BatchStream } from './batch-stream.ts';
import { checkFit } from './check-fit.ts';
import { storedDtype } from './checkpoint-summary.ts';
import { tokenizerOf } from './checkpoint-tokenizer.ts';
import type { GenerateOptions } from './generate-options.ts';
import { GenerateStream } from './generate-stream.ts';
import { type DownloadOptions, type ModelSource, openSource } from './open-source.ts';
import { checkpointWeights } from './weight-source.ts';

/** Dtypes that weights can be kept in. */
export const WEIGHT_DTYPES: readonly WeightDtype[] = ['fp32', 'bf16', 'fp16', 'q8', 'q4'];

/** Options of `fromPretrained`. */
export interface FromPretrainedOptions extends DownloadOptions {
  /** `auto` (the default) takes the best there is; or a name; or a device of your own, which stays yours. */
  device?: DeviceChoice | Device;
  /** Dtype of the matrices on the device; the checkpoint's own by default. */
  dtype?: WeightDtype;
  signal?: AbortSignal | undefined;
  /** Called after each tensor. */
  onProgress?: ((progress: LoadProgress) => void) | undefined;
}

const OPTION_NAMES = [
  'device',
  'dtype',
  'signal',
  'onProgress',
  'revision',
  'token',
  'cacheDir',
  'offline',
  'onDownload',
] as const satisfies (keyof FromPretrainedOptions)[];

function checkOptions(options: FromPretrainedOptions): void {
  for (const name of Object.keys(options)) {
    if ((OPTION_NAMES as readonly string[]).includes(name)) continue;
    const hint = name === 'worker' ? "; import fromPretrained from 'xlstm/worker' for a model in a worker" : '';
    throw new OptionError(`fromPretrained: no option is called "${name}"; it takes ${OPTION_NAMES.join(', ')}${hint}`);
  }
  const { dtype } = options;
  if (dtype !== undefined && !WEIGHT_DTYPES.includes(dtype)) {
    throw new OptionError(`fromPretrained: dtype must be one of ${WEIGHT_DTYPES.join(', ')}, got "${String(dtype)}"`);
  }
}

/** A loaded model with its tokenizer: what `fromPretrained` gives. */
export class XlstmModel implements AsyncDisposable {
  readonly model: XLSTMLarge;
  readonly tokenizer: Tokenizer;
  /** Which device was taken and why, in one sentence. */
  readonly deviceReason: string;
  readonly #ownsDevice: boolean;

  constructor(model: XLSTMLarge, tokenizer: Tokenizer, deviceReason: string, ownsDevice: boolean) {
    this.model = model;
    this.tokenizer = tokenizer;
    this.deviceReason = deviceReason;
    this.#ownsDevice = ownsDevice;
  }

  get device(): Device {
    return this.model.device;
  }

  get config(): XlstmLargeConfig {
    return this.model.config;
  }

  get dtype(): WeightDtype {
    return this.model.dtype;
  }

  /** An empty past, to be passed to `generate` again and again. Yours to dispose. */
  createState(): XlstmState {
    this.#assertLive('createState');
    return this.model.createState();
  }

  /** `state.export()`, for a state of this model. @throws StateError for another model's */
  async exportState(state: XlstmState): Promise<Uint8Array<ArrayBuffer>> {
    this.#assertLive('exportState');
    return exportState(this.model, state);
  }

  /** A state from the bytes of `state.export()`, saved here or elsewhere; yours to dispose. @throws StateError for another model's, cut or damaged bytes. */
  importState(bytes: Uint8Array): XlstmState {
    this.#assertLive('importState');
    return importState(this.model, bytes);
  }

  /**
   * Continues a prompt. BOS is put in front unless a state with a past is given.
   *
   * @param prompt text, or token ids as they are
   * @throws OptionError for unknown options and values out of range; DisposedError after `dispose()`
   * @example
   * ```ts
   * for await (const { text } of model.generate('Once upon a time', { maxNewTokens: 64 })) process.stdout.write(text)
   * ```
   */
  generate(prompt: string | ArrayLike<number>, options: GenerateOptions = {}): GenerateStream {
    this.#assertLive('generate');
    const ids =
      typeof prompt === 'string'
        ? this.tokenizer.encode(prompt, { addBos: this.#beginsWithBos(options.state) })
        : listOfIds(prompt);
    return new GenerateStream(this.model, this.tokenizer, ids, options);
  }

  /**
   * Continues several prompts together: each step reads the weights once for all of them. Each sequence is what `generate`
   * would make of its prompt alone, but for the rounding of a GPU, which differs with the size of the batch. All options of
   * `generate` may be given to a prompt for itself, and all but `state` and `onPrefill` for every prompt; a shared `seed` is the
   * first prompt's, the others count on from it.
   *
   * @param prompts texts, token ids as they are, or `{ prompt, options }`; one at least
   * @throws OptionError for unknown options and an empty list, at once; for bad values, with the index of the prompt, when it
   *   starts, before anything is computed; OutOfMemoryError then where the device cannot bind the states of `maxBatch`
   *   sequences; DisposedError after `dispose()`
   * @example
   * ```ts
   * const batch = model.generateBatch(['The fox said', { prompt: 'The king', options: { temperature: 0 } }], { maxBatch: 8 })
   * for await (const { index, text } of batch) console.log(index, text)
   * const [fox, king] = await batch.result()
   * ```
   */
  generateBatch(prompts: BatchPrompts, options: BatchOptions = {}): BatchStream {
    this.#assertLive('generateBatch');
    const resolved = resolvePrompts(prompts, options).map(({ prompt, options: own }) => ({
      prompt:
        typeof prompt === 'string' ? this.tokenizer.encode(prompt, { addBos: this.#beginsWithBos(own.state) }) : prompt,
      options: own,
    }));
    return new BatchStream(this.model, this.tokenizer, resolved, options);
  }

  /** A state with a past is in the middle of a text. */
  #beginsWithBos(state: XlstmState | undefined): boolean {
    return this.tokenizer.addsBos && !(state && state.position > 0);
  }

  #assertLive(operation: string): void {
    if (this.disposed) throw new DisposedError(`${operation}: the model was disposed; load it again`);
  }

  get disposed(): boolean {
    return this.model.disposed;
  }

  /** Releases the weights and all states, and the device where `fromPretrained` created it. */
  async dispose(): Promise<void> {
    if (this.disposed) return;
    this.model.dispose();
    if (this.#ownsDevice) this.device.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

function listOfIds(prompt: unknown): number[] {
  if (typeof (prompt as ArrayLike<number> | null)?.length === 'number') return Array.from(prompt as ArrayLike<number>);
  throw new OptionError(`generate: the prompt must be text or a list of token ids, got ${String(prompt)}`);
}

/**
 * Loads a checkpoint and its tokenizer onto a device.
 *
 * @param source a hub id such as `NX-AI/xLSTM-7b` (fetched once and kept, checked against the device first), a local
 *   folder in the Hugging Face layout or the reference's own, an address, the files of a folder as a page has them (an
 *   `<input>`'s or dropped ones), or an open checkpoint, which stays yours
 * @throws CheckpointError, ConfigError or TokenizerError for files that cannot be used; DeviceError when a named
 *   device is not there; OutOfMemoryError, before a byte of weights is read, for a model larger than the device can bind
 *   or than the machine's memory (which WebGPU does not tell); `signal.reason` on abort. Nothing stays allocated.
 * @example
 * ```ts
 * const model = await fromPretrained('models/stories', { device: 'auto' })
 * const { text } = await model.generate('Once upon a time', { maxNewTokens: 64, temperature: 0 }).result()
 * await model.dispose()
 * ```
 */
export async function fromPretrained(source: ModelSource, options: FromPretrainedOptions = {}): Promise<XlstmModel> {
  checkOptions(options);
  const { signal, dtype, device, onProgress, ...download } = options;
  signal?.throwIfAborted();
  const lent = device instanceof Device ? device : undefined;
  const selected = lent
    ? { device: lent, reason: `${lent.kind} (${lent.name}), given by the caller` }
    : await selectDevice(device as DeviceChoice | undefined);
  try {
    const beforeDownload = (headers: Checkpoint) => checkFit(selected.device, headers, dtype);
    const { checkpoint, close } = await openSource(source, { signal, beforeDownload, ...download });
    try {
      checkFit(selected.device, checkpoint, dtype);
      const config = parseConfig(checkpoint.config, checkpoint.configFormat);
      const { tokenizerConfig } = checkpoint;
      const tokenizerJson = await checkpoint.tokenizerJson?.();
      const tokenizer = await tokenizerOf({ tokenizerJson, tokenizerConfig }, config);
      const model = await XLSTMLarge.load(selected.device, config, checkpointWeights(checkpoint), {
        dtype: dtype ?? storedDtype(checkpoint),
        signal,
        onProgress,
      });
      return new XlstmModel(model, tokenizer, selected.reason, !lent);
    } finally {
      await close();
    }
  } catch (error) {
    if (!lent) selected.device.dispose();
    throw error;
  }
}
