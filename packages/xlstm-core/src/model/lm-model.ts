import { type Device, ShapeError } from '@xlstm/device';
import {
  crossEntropy,
  dropout,
  embedding,
  linear,
  requireTargets,
  type Scope,
  type Tensor,
  type TrainableParameter,
} from '@xlstm/tensor';
import { type ConfigInput, parseLmModelConfig, type XlstmLmModelConfig } from '../config/stack-config.ts';
import { smallInit } from '../initialisers/initialisers.ts';
import { type ParameterPlan, plan } from '../layers/parameter-plan.ts';
import type { XlstmCoreState } from './core-state.ts';
import { ModelParameters, type NewModelOptions, type ParameterTensor } from './model-parameters.ts';
import { type ModelForwardOptions, planStack, StackLayers } from './stack-layers.ts';

const STACK = 'xlstm_block_stack.';
const EMBEDDING = 'token_embedding.weight';
const HEAD = 'lm_head.weight';
/** As PyTorch's examples mark targets that do not count. */
const IGNORE_INDEX = -1;
const EMBEDDING_STREAM = 0;

function planModel(config: XlstmLmModelConfig): ParameterPlan[] {
  const { vocabSize: V, embeddingDim: D } = config;
  return [
    ...planStack(STACK, config),
    { ...plan(EMBEDDING, [V, D], smallInit(D)), decay: config.weightDecayOnEmbedding },
    ...(config.tieWeights ? [] : [plan(HEAD, [V, D], smallInit(D))]),
  ];
}

/** Options of `loss`. */
export interface LossOptions extends ModelForwardOptions {
  /** Targets of this value do not count. Default −1. */
  ignoreIndex?: number;
}

/**
 * A language model of the first paper's architecture (xLSTM, 2405.04517): token embedding, an `XLSTMBlockStack`, a head.
 *
 * @example
 * ```ts
 * const model = new XLSTMLMModel(device, { vocab_size: 256, embedding_dim: 64, num_blocks: 2, mlstm_block: {} })
 * const loss = model.loss(tape, tokens, targets)
 * loss.backward()
 * ```
 */
export class XLSTMLMModel implements Disposable {
  readonly device: Device;
  readonly config: XlstmLmModelConfig;
  readonly #parameters: ModelParameters;
  readonly #layers: StackLayers;

  /**
   * @param config the reference's fields, as an object or as JSON or YAML text
   * @throws ConfigError for a configuration that cannot be built, OutOfMemoryError when the device cannot hold it.
   */
  constructor(device: Device, config: ConfigInput, options: NewModelOptions = {}) {
    this.device = device;
    this.config = parseLmModelConfig(config);
    this.#parameters = new ModelParameters(device, planModel(this.config), options);
    this.#layers = new StackLayers(this.#parameters.values, this.config, STACK);
  }

  /**
   * @param tokens `[B, S]` i32
   * @returns logits `[B, S, V]` fp32
   * @throws ShapeError when tokens or the state have another shape.
   */
  forward(scope: Scope, tokens: Tensor, options: ModelForwardOptions = {}): Tensor {
    const hidden = this.#hidden('XLSTMLMModel.forward', scope, tokens, options);
    const logits = linear(scope, hidden, this.#head());
    scope.release(hidden);
    return logits;
  }

  /**
   * The mean cross-entropy of the next tokens, in nats. The logits of the whole vocabulary are never all kept.
   *
   * @param tokens `[B, S]` i32
   * @param targets `[B, S]` i32: for each token the one that follows it, or `ignoreIndex`
   * @returns `[1]` fp32; on a tape, call `backward()` on it
   */
  loss(scope: Scope, tokens: Tensor, targets: Tensor, options: LossOptions = {}): Tensor {
    const ignoreIndex = options.ignoreIndex ?? IGNORE_INDEX;
    requireTargets('XLSTMLMModel.loss', tokens, targets, { ignoreIndex });
    const hidden = this.#hidden('XLSTMLMModel.loss', scope, tokens, options);
    const loss = crossEntropy(scope, { hidden, head: this.#head(), targets }, { ignoreIndex });
    scope.release(hidden);
    return loss;
  }

  /**
   * One token of each sequence: `forward` for a sequence of one step, with the past required.
   *
   * @param tokens `[B, 1]` i32
   */
  step(scope: Scope, tokens: Tensor, state: XlstmCoreState): Tensor {
    if (tokens.shape[1] !== 1) {
      throw new ShapeError(`XLSTMLMModel.step: tokens must be [B, 1], got [${tokens.shape}]; call forward`);
    }
    return this.forward(scope, tokens, { state });
  }

  /** An empty past for `batch` independent sequences. */
  createState(batch = 1): XlstmCoreState {
    return this.#layers.createState(batch);
  }

  /** All parameters with their gradients, for a tape and an optimiser. */
  parameters(): readonly TrainableParameter[] {
    return this.#parameters.values.list();
  }

  /** Elements of all parameters together. */
  get parameterCount(): number {
    return this.#parameters.values.count;
  }

  /** Waits for the device and returns every parameter under its published name, ready for `writeSafetensors`. */
  readWeights(): Promise<ParameterTensor[]> {
    return this.#parameters.read();
  }

  /**
   * Replaces every parameter, all or none. With tied weights, the head that the reference saves along is passed over.
   *
   * @throws CheckpointError for a missing, unknown or misshapen tensor.
   */
  writeWeights(tensors: Iterable<Omit<ParameterTensor, 'dtype'>>): void {
    this.#parameters.write(this.config.tieWeights ? [...tensors].filter(({ name }) => name !== HEAD) : tensors);
  }

  dispose(): void {
    this.#layers.dispose();
    this.#parameters.values.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #head(): Tensor {
    return this.#parameters.values.get(this.config.tieWeights ? EMBEDDING : HEAD);
  }

  #hidden(operation: string, scope: Scope, tokens: Tensor, options: ModelForwardOptions): Tensor {
    if (tokens.shape.length !== 2 || tokens.rows * tokens.cols === 0) {
      throw new ShapeError(`${operation}: tokens must be [B, S], got [${tokens.shape}]`);
    }
    this.#layers.check(operation, tokens.shape[0]!, options);
    const embedded = embedding(scope, tokens, this.#parameters.values.get(EMBEDDING));
    const { dropout: seed } = options;
    const { dropout: p, addEmbeddingDropout } = this.config;
    const x =
      seed && addEmbeddingDropout && p > 0 ? dropout(scope, embedded, { p, seed, stream: EMBEDDING_STREAM }) : embedded;
    const hidden = this.#layers.forward(scope, x, options);
    scope.release(embedded);
    if (x !== embedded) scope.release(x);
    return hidden;
  }
}
