import { Arena, type Device, OptionError, type Program, ShapeError } from '@xlstm/device';
import { AdamW, type AdamWOptions, type Anomaly, checkTargets, type StepOptions, Tape, Tensor } from '@xlstm/tensor';
import type { XLSTMLarge } from './model.ts';

/** What a training step is made for; sizes are fixed, since it is recorded once. */
export interface TrainingStepOptions extends AdamWOptions {
  /** Sequences of a batch. */
  batch: number;
  /** Tokens of a sequence. */
  length: number;
  /** Targets of this value do not count. Default −1. */
  ignoreIndex?: number;
  /** Whether blocks are computed a second time for their gradients instead of kept. Default false. */
  recompute?: boolean;
  /** Whether every result of the forward pass is looked at for NaN and infinity; see `firstAnomaly`. Default false. */
  detectAnomalies?: boolean;
}

/** Throws unless every id is one of the vocabulary's. */
function checkTokens(ids: Int32Array, V: number): void {
  const wrong = ids.findIndex((id) => id < 0 || id >= V);
  if (wrong >= 0) {
    throw new OptionError(
      `TrainingStep.run: token ${wrong} must be in 0…${V - 1}, got ${ids[wrong]}; check the tokenizer and the model's vocabulary`,
    );
  }
}

/**
 * One step of training, recorded and replayed: gradients to zero, forward, loss, backward, clipping, AdamW. A replay
 * allocates nothing; token ids and the learning rate are all that travels to the device.
 *
 * @example
 * ```ts
 * const step = new TrainingStep(model, { batch: 8, length: 256, lr: 1e-3, maxGradNorm: 0.5 })
 * for (const { tokens, targets } of batches) step.run(tokens, targets)
 * console.log(await step.loss())
 * ```
 */
export class TrainingStep implements Disposable {
  readonly optimizer: AdamW;
  readonly #device: Device;
  readonly #arena: Arena;
  readonly #tokens: Tensor;
  readonly #targets: Tensor;
  readonly #loss: Tensor;
  readonly #program: Program;
  readonly #vocabSize: number;
  readonly #ignoreIndex: number;
  /** Kept after the recording where anomalies are looked for. */
  readonly #tape: Tape | undefined;

  /**
   * @throws OptionError or ShapeError for options out of range, DtypeError for weights that are not fp32, OutOfMemoryError
   * when activations or moments have no room.
   */
  constructor(model: XLSTMLarge, options: TrainingStepOptions) {
    const { batch, length, ignoreIndex = -1, recompute = false, detectAnomalies = false, ...adamw } = options;
    for (const [name, value] of Object.entries({ batch, length })) {
      if (!Number.isInteger(value) || value < 1) {
        throw new ShapeError(`TrainingStep: ${name} must be a positive integer, got ${value}`);
      }
    }
    this.#device = model.device;
    this.#vocabSize = model.config.vocabSize;
    this.#ignoreIndex = ignoreIndex;
    this.#arena = new Arena(model.device, 'training step');
    const made = (dtype: 'i32' | 'fp32', shape: number[], label: string) =>
      new Tensor(
        this.#arena.alloc(
          dtype,
          shape.reduce((a, b) => a * b, 1),
          label,
        ),
        shape,
      );
    const parameters = model.parameters();
    this.optimizer = new AdamW(model.device, parameters, adamw);
    try {
      this.#tokens = made('i32', [batch, length], 'tokens');
      this.#targets = made('i32', [batch, length], 'targets');
      this.#loss = made('fp32', [1], 'loss');
      let kept: Tape | undefined;
      this.#program = model.device.record(() => {
        this.optimizer.zeroGradients();
        const tape = new Tape(this.#arena, { parameters, detectAnomalies });
        const loss = model.loss(tape, this.#tokens, this.#targets, { ignoreIndex, recompute });
        loss.backward();
        model.device.copy(loss.buffer, this.#loss.buffer);
        if (detectAnomalies) kept = tape;
        else tape.dispose();
        this.optimizer.queueStep();
      }, 'training step');
      this.#tape = kept;
    } catch (error) {
      this.optimizer.dispose();
      this.#arena.dispose();
      throw error;
    }
  }

  /** Kernel launches of a step. */
  get dispatches(): number {
    return this.#program.dispatches;
  }

  /** The recorded step, for profiles. */
  get program(): Program {
    return this.#program;
  }

  /**
   * Queues one step on `tokens [B, S]` and what follows each of them. Nothing is waited for.
   *
   * @throws ShapeError when lengths differ from the step's, OptionError for an id outside the vocabulary or a learning rate
   * out of range; nothing is changed then.
   */
  run(tokens: Int32Array, targets: Int32Array, options: StepOptions = {}): void {
    for (const [name, ids] of Object.entries({ tokens, targets })) {
      if (ids.length !== this.#tokens.buffer.length) {
        throw new ShapeError(`TrainingStep.run: ${name} must be [${this.#tokens.shape}] ids, got ${ids.length}`);
      }
    }
    checkTokens(tokens, this.#vocabSize);
    checkTargets(targets, this.#vocabSize, this.#ignoreIndex);
    this.optimizer.advance(options);
    this.#device.upload(this.#tokens.buffer, tokens);
    this.#device.upload(this.#targets.buffer, targets);
    this.#program.run();
    this.#device.flush();
  }

  /** Waits for the last step and returns its loss, before the update, in nats per token that counts. */
  async loss(): Promise<number> {
    return (await this.#device.read(this.#loss.buffer))[0]!;
  }

  /** Waits for the last step and returns its gradient norm before clipping. @throws NumericsError when it is not finite. */
  gradientNorm(): Promise<number> {
    return this.optimizer.gradientNorm();
  }

  /**
   * Waits for the last step and returns the first operation of its forward pass whose result was not all finite;
   * `undefined` when all were.
   *
   * @throws OptionError when the step was made without `detectAnomalies`.
   */
  async firstAnomaly(): Promise<Anomaly | undefined> {
    if (!this.#tape) {
      throw new OptionError(
        'TrainingStep.firstAnomaly: nothing was looked at; make the step with detectAnomalies: true',
      );
    }
    return this.#tape.firstAnomaly();
  }

  dispose(): void {
    this.#tape?.dispose();
    this.#program.dispose();
    this.optimizer.dispose();
    this.#arena.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
