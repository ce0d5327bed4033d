import { Arena, type Device, type Program } from '@xlstm/device';
import { AdamW, type AdamWState, addInPlace, argmax, type Precision, Scope, Tape, Tensor } from '@xlstm/tensor';
import { type Batch, IGNORE } from '../data/batch-source.ts';
import type { CarriedState, TrainableModel } from './trainable-model.ts';

/** What an engine is made for; sizes are fixed, since its programs are recorded once. */
export interface EngineOptions {
  /** Rows and tokens of a micro batch. */
  rows: number;
  length: number;
  /** Micro batches of a step, at most. */
  accumulation: number;
  lr: number;
  betas: readonly [number, number];
  eps: number;
  weightDecay: number;
  maxNorm: number;
  dropout: number;
  recompute: boolean;
  /** Whether rows carry their state from step to step. */
  carried: boolean;
  /** Decides what dropout drops. */
  seed: number;
  /** Of the products of a step and of its gradients; evaluations and predictions are float32. */
  precision: Precision;
}

/** Most probable next tokens after `tokens`, both `[rows, length]`. */
interface Prediction {
  readonly program: Program;
  readonly tokens: Tensor;
  readonly ids: Tensor;
}

/** What a step did. */
export interface StepResult {
  /** Mean over the micro batches, before the update. */
  loss: number;
  /** Before clipping. */
  gradientNorm: number;
}

/**
 * Training on a device: a step is a recorded program that sets gradients to zero, one for each micro batch that adds
 * its gradients, and one that clips and updates; replaying them allocates nothing.
 */
export class Engine {
  readonly model: TrainableModel;
  readonly #device: Device;
  readonly #options: EngineOptions;
  readonly #arena: Arena;
  readonly #optimizer: AdamW;
  readonly #tokens: Tensor;
  readonly #targets: Tensor;
  /** Seed and step of dropout. */
  readonly #seed: Tensor;
  readonly #loss: Tensor;
  /** One for each micro batch; empty unless states are carried. */
  readonly #carried: CarriedState[] = [];
  readonly #begin: Program;
  readonly #micro: Program[] = [];
  readonly #finish: Program;
  /** Made at the first evaluation. */
  #evaluation: Program | undefined;
  /** By shape. */
  readonly #predictions = new Map<string, Prediction>();

  constructor(model: TrainableModel, options: EngineOptions) {
    this.model = model;
    this.#device = model.device;
    this.#options = options;
    const { rows, length, accumulation } = options;
    this.#arena = new Arena(model.device, 'training');
    const make = (dtype: 'i32' | 'u32' | 'fp32', shape: number[], label: string) =>
      new Tensor(
        this.#arena.alloc(
          dtype,
          shape.reduce((a, b) => a * b, 1),
          label,
        ),
        shape,
      );
    this.#optimizer = new AdamW(model.device, model.parameters(), {
      lr: options.lr,
      betas: options.betas,
      eps: options.eps,
      weightDecay: options.weightDecay,
      maxGradNorm: options.maxNorm,
    });
    try {
      this.#tokens = make('i32', [rows, length], 'tokens');
      this.#targets = make('i32', [rows, length], 'targets');
      this.#seed = make('u32', [2], 'dropout seed');
      this.#loss = make('fp32', [1], 'loss');
      this.#begin = this.#device.record(() => {
        this.#optimizer.zeroGradients();
        this.#device.clear(this.#loss.buffer);
      }, 'begin of a step');
      const programs = options.carried ? accumulation : 1;
      for (let micro = 0; micro < programs; micro++) {
        if (options.carried) this.#carried.push(model.createCarriedState(rows));
        this.#micro.push(this.#device.record(() => this.#queueMicroBatch(this.#carried[micro]), 'micro batch'));
      }
      this.#finish = this.#device.record(() => this.#optimizer.queueStep(), 'update');
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** What a step's products are computed in. */
  get precision(): Precision {
    return this.#options.precision;
  }

  /** Kernel launches of a step. */
  get dispatches(): number {
    const micro = this.#micro[0]!.dispatches * this.#options.accumulation;
    return this.#begin.dispatches + micro + this.#finish.dispatches;
  }

  /**
   * One step of training, waited for.
   *
   * @throws NumericsError that names the first tensor whose gradient is not finite; the weights are as before then.
   */
  async step(batches: readonly Batch[], lr: number): Promise<StepResult> {
    const { accumulation: most, seed } = this.#options;
    const step = this.#optimizer.stepCount;
    this.#optimizer.advance({ lr, gradientScale: 1 / batches.length });
    this.#begin.run();
    for (const [micro, batch] of batches.entries()) {
      this.#device.upload(this.#tokens.buffer, batch.tokens);
      this.#device.upload(this.#targets.buffer, batch.targets);
      this.#device.upload(this.#seed.buffer, Uint32Array.of(seed, step * most + micro));
      this.#carried[micro]?.restart(batch.restarts);
      this.#micro[this.#carried.length > 0 ? micro : 0]!.run();
    }
    this.#finish.run();
    const loss = (await this.#device.read(this.#loss.buffer))[0]! / batches.length;
    return { loss, gradientNorm: await this.#optimizer.gradientNorm() };
  }

  /** Records what `evaluate` replays, once. */
  prepareEvaluation(): Program {
    this.#evaluation ??= this.#device.record(() => {
      const scope = new Scope(this.#arena);
      const loss = this.model.loss(scope, this.#tokens, this.#targets, {});
      this.#device.copy(loss.buffer, this.#loss.buffer);
      scope.dispose();
    }, 'evaluation');
    return this.#evaluation;
  }

  /** Mean loss over batches, each token that counts counting alike; nothing is trained. */
  async evaluate(batches: AsyncIterable<Batch> | Iterable<Batch>): Promise<{ loss: number; tokens: number }> {
    const program = this.prepareEvaluation();
    let sum = 0;
    let tokens = 0;
    for await (const batch of batches) {
      this.#device.upload(this.#tokens.buffer, batch.tokens);
      this.#device.upload(this.#targets.buffer, batch.targets);
      program.run();
      const counted = batch.targets.reduce((count, target) => count + (target === IGNORE ? 0 : 1), 0);
      sum += counted === 0 ? 0 : counted * (await this.#device.read(this.#loss.buffer))[0]!;
      tokens += counted;
    }
    return { loss: tokens === 0 ? Number.NaN : sum / tokens, tokens };
  }

  /** Records what `predict` replays for a shape, once. */
  preparePrediction(rows: number, length: number): Prediction {
    const shape = `${rows} x ${length}`;
    const prediction = this.#predictions.get(shape) ?? this.#recordPrediction(rows, length);
    this.#predictions.set(shape, prediction);
    return prediction;
  }

  /** The most probable next token after each of `tokens [rows, length]`; rows and length may be any. */
  async predict(tokens: Int32Array, rows: number, length: number): Promise<Int32Array> {
    const prediction = this.preparePrediction(rows, length);
    this.#device.upload(prediction.tokens.buffer, tokens);
    prediction.program.run();
    return (await this.#device.read(prediction.ids.buffer)) as Int32Array;
  }

  /** The optimiser's state, for a checkpoint. */
  readOptimizer(): Promise<AdamWState> {
    return this.#optimizer.readState();
  }

  /** Goes on from a saved state. @throws StateError when it is of another model. */
  writeOptimizer(state: AdamWState): void {
    this.#optimizer.writeState(state);
  }

  /** States carried by the micro batches of a step; none unless they are carried. */
  get carried(): readonly CarriedState[] {
    return this.#carried;
  }

  dispose(): void {
    for (const program of [this.#begin, ...this.#micro, this.#finish, this.#evaluation]) program?.dispose();
    for (const { program } of this.#predictions.values()) program.dispose();
    for (const state of this.#carried) state.dispose();
    this.#optimizer.dispose();
    this.#arena.dispose();
  }

  #queueMicroBatch(carried: CarriedState | undefined): void {
    const { dropout: p, recompute, precision } = this.#options;
    const tape = new Tape(this.#arena, { parameters: this.model.parameters(), precision });
    const loss = this.model.loss(tape, this.#tokens, this.#targets, {
      recompute,
      carried,
      dropout: p > 0 ? { p, seed: this.#seed } : undefined,
    });
    loss.backward();
    addInPlace(new Scope(this.#arena), this.#loss, loss);
    tape.dispose();
  }

  #recordPrediction(rows: number, length: number): Prediction {
    const make = (label: string) => new Tensor(this.#arena.alloc('i32', rows * length, label), [rows, length]);
    const [tokens, ids] = [make('tokens to predict from'), make('predictions')];
    const program = this.#device.record(() => {
      const scope = new Scope(this.#arena);
      const best = argmax(scope, this.model.logits(scope, tokens));
      this.#device.copy(best.buffer, ids.buffer);
      scope.dispose();
    }, 'predictions');
    return { program, tokens, ids };
  }
}
