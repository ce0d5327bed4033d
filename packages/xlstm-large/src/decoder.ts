import { Arena, type DeviceBuffer, type Program } from '@xlstm/device';
import { type SamplingOptions, Scope, sampleRows, sampleToken, Tensor } from '@xlstm/tensor';
import { queueFusedStep, servesFusedStep } from './inference/fused-step.ts';
import type { RowSampling } from './inference/row-sampling.ts';
import type { StepRunner } from './inference/step-runner.ts';
import { lastLogits, type XLSTMLarge } from './model.ts';
import { precisionOf } from './prefill.ts';
import type { XlstmState } from './state.ts';

/** Options of a `Decoder`: how to sample, and the ids that the repetition penalty starts from. */
export interface DecoderOptions {
  sampling: SamplingOptions & { seed: number | bigint };
  promptIds: ArrayLike<number>;
}

/** What drawing a token reads and writes. */
interface DrawTensors {
  token: Tensor;
  counter: Tensor;
  seen?: Tensor | undefined;
}

/** Queues the drawing of each sequence's next token from the state's logits. */
export function queueDraw(scope: Scope, state: XlstmState, tensors: DrawTensors, sampling: SamplingOptions): void {
  const { token, counter, seen } = tensors;
  sampleToken(scope, { logits: lastLogits(state), token, counter, ...(seen ? { seen } : {}) }, sampling);
}

/** Queues the reading of one token of each sequence into the state, whose position moves on. */
export function queueAdvance(model: XLSTMLarge, scope: Scope, token: Tensor, state: XlstmState): void {
  if (servesFusedStep(model, state.batch)) {
    queueFusedStep(model, scope, token, state);
    return;
  }
  const hidden = model.forward(scope, token.reshape([state.batch, 1]), state);
  const logits = model.logits(scope, hidden.reshape([state.batch, model.config.embeddingDim]));
  model.device.copy(logits.buffer, state.logits, 0, 0, state.logits.length);
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
    const { device } = model;
    const { batch } = state;
    this.#state = state;
    this.#arena = new Arena(device, 'decode');
    this.#scope = new Scope(this.#arena, { precision: precisionOf(model) });
    try {
      const own = (dtype: 'i32' | 'u32', length: number, label: string) => {
        const buffer = device.alloc(dtype, length, { owner: 'decode', label });
        this.#buffers.push(buffer);
        return buffer;
      };
      this.#token = own('i32', batch, 'token');
      const token = new Tensor(this.#token, [batch]);
      const draw =
        'rows' in options
          ? () => sampleRows(this.#scope, { logits: lastLogits(state), token, ...options.rows.tensors })
          : this.#drawAlike(token, own, options);
      this.#sample = device.record(draw, 'sample');
      const { position } = state;
      this.#advance = device.record(() => queueAdvance(model, this.#scope, token, state), 'advance');
      // Recording runs nothing, so the state has not moved.
      state.position = position;
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** The launch that samples all sequences in one way. */
  #drawAlike(
    token: Tensor,
    own: (dtype: 'u32', length: number, label: string) => DeviceBuffer,
    { sampling, promptIds }: DecoderOptions,
  ): () => void {
    const state = this.#state;
    const { device, batch, config } = state;
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
    return () => queueDraw(this.#scope, state, { token, counter, seen }, sampling);
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
