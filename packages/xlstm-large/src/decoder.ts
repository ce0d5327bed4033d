import { Arena, type DeviceBuffer, type Program } from '@xlstm/device';
import { type SamplingOptions, Scope, sampleRows, sampleToken, Tensor } from '@xlstm/tensor';
import type { RowSampling } from './inference/row-sampling.ts';
import type { StepRunner } from './inference/step-runner.ts';
import { lastLogits, type XLSTMLarge } from './model.ts';
import type { XlstmState } from './state.ts';

/** Options of a `Decoder`: how to sample, and the ids that the repetition penalty starts from. */
export interface DecoderOptions {
  sampling: SamplingOptions & { seed: number | bigint };
  promptIds: ArrayLike<number>;
}

/** Options of a `Decoder` whose sequences are each sampled in their own way, which may change between steps. */
export interface DecoderRowsOptions {
  rows: RowSampling;
}

/**
 * The recurrent step, recorded: `sample` draws the next token from the state's logits on the device, `advance` reads
 * that token into the state. Two replays a token; one token id comes back to the host.
 */
export class Decoder implements StepRunner, Disposable {
  readonly #state: XlstmState;
  readonly #arena: Arena;
  readonly #scope: Scope;
  readonly #token: DeviceBuffer;
  readonly #buffers: DeviceBuffer[] = [];
  #sample: Program | undefined;
  #advance: Program | undefined;

  constructor(model: XLSTMLarge, state: XlstmState, options: DecoderOptions | DecoderRowsOptions) {
    const { device, config } = model;
    const { batch } = state;
    this.#state = state;
    this.#arena = new Arena(device, 'decode');
    this.#scope = new Scope(this.#arena);
    try {
      const own = (dtype: 'i32' | 'u32', length: number, label: string) => {
        const buffer = device.alloc(dtype, length, { owner: 'decode', label });
        this.#buffers.push(buffer);
        return buffer;
      };
      this.#token = own('i32', batch, 'token');
      const token = new Tensor(this.#token, [batch]);
      const tensors = { logits: lastLogits(state), token };
      const draw =
        'rows' in options
          ? () => sampleRows(this.#scope, { ...tensors, ...options.rows.tensors })
          : this.#drawAlike(tensors, own, options);
      this.#sample = device.record(draw, 'sample');
      const { position } = state;
      this.#advance = device.record(() => {
        const hidden = model.forward(this.#scope, token.reshape([batch, 1]), state);
        const logits = model.logits(this.#scope, hidden.reshape([batch, config.embeddingDim]));
        device.copy(logits.buffer, state.logits, 0, 0, state.logits.length);
      }, 'advance');
      // Recording runs nothing, so the state has not moved.
      state.position = position;
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** The launch that samples all sequences in one way. */
  #drawAlike(
    tensors: { logits: Tensor; token: Tensor },
    own: (dtype: 'u32', length: number, label: string) => DeviceBuffer,
    { sampling, promptIds }: DecoderOptions,
  ): () => void {
    const { device, batch, config } = this.#state;
    const counter = new Tensor(own('u32', batch, 'random counter'), [batch]);
    let seen: Tensor | undefined;
    if ((sampling.repetitionPenalty ?? 1) !== 1) {
      const marks = new Uint32Array(batch * config.vocabSize);
      for (let at = 0; at < promptIds.length; at++) {
        for (let b = 0; b < batch; b++) marks[b * config.vocabSize + promptIds[at]!] = 1;
      }
      seen = new Tensor(own('u32', marks.length, 'seen tokens'), [batch, config.vocabSize]);
      device.upload(seen.buffer, marks);
    }
    return () => sampleToken(this.#scope, { ...tensors, counter, ...(seen ? { seen } : {}) }, sampling);
  }

  /** Kernel launches per token. */
  get dispatches(): number {
    return (this.#sample?.dispatches ?? 0) + (this.#advance?.dispatches ?? 0);
  }

  /** Draws the next token of each sequence; resolves as soon as it is known, whatever is queued behind it. */
  sample(): Promise<Int32Array> {
    this.#sample!.run();
    return this.#state.device.read(this.#token) as Promise<Int32Array>;
  }

  /** Queues the reading of the drawn tokens into the state. */
  advance(): void {
    this.#advance!.run();
    this.#state.device.flush();
    this.#state.position++;
  }

  dispose(): void {
    this.#sample?.dispose();
    this.#advance?.dispose();
    for (const buffer of this.#buffers) buffer.dispose();
    this.#arena.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
