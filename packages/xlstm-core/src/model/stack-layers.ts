import { DtypeError, ShapeError } from '@xlstm/device';
import { type Parameters, requireContiguous, type Scope, Tape, Tensor } from '@xlstm/tensor';
import type { XlstmBlockStackConfig } from '../config/stack-config.ts';
import { constant } from '../initialisers/initialisers.ts';
import { Block, layerNorm, planBlock } from '../layers/block.ts';
import { type ParameterPlan, plan } from '../layers/parameter-plan.ts';
import { stateBuffers, XlstmCoreState } from './core-state.ts';

/** What a forward pass of a stack or model may be given besides its input. */
export interface ModelForwardOptions {
  /** The past, which moves on; without one, sequences begin empty and are forgotten. */
  state?: XlstmCoreState | undefined;
  /** `[2]` u32, seed and step: turns dropout on and says which elements are dropped; off by default, as for evaluation. */
  dropout?: Tensor | undefined;
  /** On a tape: whether blocks are computed a second time for their gradients instead of kept. Default false. */
  recompute?: boolean | undefined;
}

/** Parameters of a stack whose names start with `prefix`. */
export function planStack(prefix: string, config: XlstmBlockStackConfig): ParameterPlan[] {
  const blocks = Array.from({ length: config.numBlocks }, (_, index) =>
    planBlock(`${prefix}blocks.${index}`, config, index),
  );
  const norm = config.addPostBlocksNorm
    ? [plan(`${prefix}post_blocks_norm.weight`, [config.embeddingDim], constant(0))]
    : [];
  return [...blocks.flat(), ...norm];
}

/** Kind and sizes of the past of every block, such as `mLSTM 64 (4 heads, 4 inputs) | sLSTM 32 (4 heads, 4 inputs)`. */
function stateLayout({ numBlocks, slstmAt, embeddingDim, mlstm, slstm }: XlstmBlockStackConfig): string {
  const blocks = Array.from({ length: numBlocks }, (_, index) => {
    const isSlstm = slstmAt.includes(index);
    const { numHeads, conv1dKernelSize } = isSlstm ? slstm! : mlstm!;
    const width = isSlstm ? embeddingDim : mlstm!.innerDim;
    return `${isSlstm ? 'sLSTM' : 'mLSTM'} ${width} (${numHeads} heads, ${conv1dKernelSize} inputs)`;
  });
  return blocks.join(' | ');
}

/** The blocks and the norm after them, over parameters that a stack or a model owns. */
export class StackLayers {
  readonly #parameters: Parameters;
  readonly #config: XlstmBlockStackConfig;
  readonly #prefix: string;
  readonly #blocks: readonly Block[];
  readonly #zeros: Tensor;
  readonly #stateLayout: string;

  constructor(parameters: Parameters, config: XlstmBlockStackConfig, prefix: string) {
    this.#parameters = parameters;
    this.#config = config;
    this.#prefix = prefix;
    this.#stateLayout = stateLayout(config);
    const D = config.embeddingDim;
    const zeros = parameters.device.alloc('fp32', D, { owner: 'parameters', label: 'norm without weight' });
    this.#zeros = new Tensor(zeros, [D]);
    this.#blocks = Array.from(
      { length: config.numBlocks },
      (_, index) => new Block(parameters, `${prefix}blocks.${index}`, config, index, this.#zeros),
    );
  }

  /** Throws unless state and dropout go with these layers and a batch: before a block moves the state on. */
  check(operation: string, batch: number, { state, dropout }: ModelForwardOptions): void {
    state?.assertUsable(operation, batch);
    if (state && state.layout !== this.#stateLayout) {
      throw new ShapeError(
        `${operation}: the state is of blocks ${state.layout}, the model has ${this.#stateLayout}; create it with the model's createState`,
      );
    }
    if (!dropout) return;
    requireContiguous(operation, 'dropout', dropout, [2]);
    if (dropout.dtype !== 'u32') throw new DtypeError(`${operation}: dropout must be u32, got ${dropout.dtype}`);
  }

  /** `x [B, S, D]` → `[B, S, D]`; x stays the caller's. */
  forward(scope: Scope, x: Tensor, { state, dropout, recompute }: ModelForwardOptions): Tensor {
    let hidden = x;
    for (const [index, block] of this.#blocks.entries()) {
      const layerState = state?.blocks[index];
      const run = (inner: Scope, input: Tensor) => block.forward(inner, input, { state: layerState, dropout });
      const next =
        recompute && scope instanceof Tape
          ? scope.recompute(`block ${index}`, [hidden], run, layerState ? stateBuffers(layerState) : [])
          : run(scope, hidden);
      if (hidden !== x) scope.release(hidden);
      hidden = next;
    }
    if (state) state.position += x.shape[1]!;
    if (!this.#config.addPostBlocksNorm) return hidden;
    const y = layerNorm(scope, hidden, this.#parameters.get(`${this.#prefix}post_blocks_norm.weight`));
    if (hidden !== x) scope.release(hidden);
    return y;
  }

  createState(batch: number): XlstmCoreState {
    return new XlstmCoreState(
      this.#parameters.device,
      batch,
      this.#stateLayout,
      this.#blocks.map((block) => (of: number) => block.createState(of)),
    );
  }

  dispose(): void {
    this.#zeros.buffer.dispose();
  }
}
