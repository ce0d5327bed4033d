import { type Device, ShapeError } from '@xlstm/device';
import type { Scope, Tensor, TrainableParameter } from '@xlstm/tensor';
import { type ConfigInput, parseBlockStackConfig, type XlstmBlockStackConfig } from '../config/stack-config.ts';
import type { XlstmCoreState } from './core-state.ts';
import { ModelParameters, type NewModelOptions, type ParameterTensor } from './model-parameters.ts';
import { type ModelForwardOptions, planStack, StackLayers } from './stack-layers.ts';

/**
 * A stack of mLSTM and sLSTM blocks (xLSTM, 2405.04517, section 2.4), as a backbone for a model of your own: maps
 * `x [B, S, D]` to `[B, S, D]`, trainable on a `Tape`.
 *
 * @example
 * ```ts
 * const stack = new XLSTMBlockStack(device, { embedding_dim: 64, num_blocks: 2, slstm_at: [1], mlstm_block: {}, slstm_block: {} })
 * const y = stack.forward(tape, x)
 * ```
 */
export class XLSTMBlockStack implements Disposable {
  readonly device: Device;
  readonly config: XlstmBlockStackConfig;
  readonly #parameters: ModelParameters;
  readonly #layers: StackLayers;

  /**
   * @param config the reference's fields, as an object or as JSON or YAML text
   * @throws ConfigError for a configuration that cannot be built, OutOfMemoryError when the device cannot hold it.
   */
  constructor(device: Device, config: ConfigInput, options: NewModelOptions = {}) {
    this.device = device;
    this.config = parseBlockStackConfig(config);
    this.#parameters = new ModelParameters(device, planStack('', this.config), options);
    this.#layers = new StackLayers(this.#parameters.values, this.config, '');
  }

  /**
   * @param x `[B, S, D]` fp32
   * @returns `[B, S, D]` fp32, after the norm behind the blocks
   * @throws ShapeError when x or the state have another shape.
   */
  forward(scope: Scope, x: Tensor, options: ModelForwardOptions = {}): Tensor {
    requireSequence('XLSTMBlockStack.forward', x, this.config.embeddingDim);
    this.#layers.check('XLSTMBlockStack.forward', x.shape[0]!, options);
    return this.#layers.forward(scope, x, options);
  }

  /**
   * One step of each sequence: `forward` for a sequence of one step, with the past required.
   *
   * @param x `[B, 1, D]` fp32
   */
  step(scope: Scope, x: Tensor, state: XlstmCoreState): Tensor {
    if (x.shape[1] !== 1) {
      throw new ShapeError(
        `XLSTMBlockStack.step: x must be [B, 1, ${this.config.embeddingDim}], got [${x.shape}]; call forward`,
      );
    }
    return this.forward(scope, x, { state });
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

  /** Replaces every parameter, all or none. @throws CheckpointError for a missing, unknown or misshapen tensor. */
  writeWeights(tensors: Iterable<Omit<ParameterTensor, 'dtype'>>): void {
    this.#parameters.write(tensors);
  }

  dispose(): void {
    this.#layers.dispose();
    this.#parameters.values.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Throws a `ShapeError` unless x is `[B, S, D]`. */
export function requireSequence(operation: string, x: Tensor, D: number): void {
  if (x.shape.length !== 3 || x.cols !== D || x.rows === 0) {
    throw new ShapeError(`${operation}: x must be [B, S, ${D}], got [${x.shape}]`);
  }
}
