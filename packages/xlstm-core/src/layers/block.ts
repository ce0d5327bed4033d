import { headLayerNorm, type Parameters, residual, type Scope, type Tensor } from '@xlstm/tensor';
import type { XlstmBlockStackConfig } from '../config/stack-config.ts';
import { constant } from '../initialisers/initialisers.ts';
import { FeedForward, planFeedForward } from './feed-forward.ts';
import type { ForwardOptions, Layer, LayerState } from './layer.ts';
import { MlstmLayer, planMlstmLayer } from './mlstm-layer.ts';
import { type ParameterPlan, plan } from './parameter-plan.ts';
import { planSlstmLayer, SlstmLayer } from './slstm-layer.ts';

const NORM_EPS = 1e-5;
/** Dropouts of a block: its layer's and its feed-forward's. */
const STREAMS_PER_BLOCK = 2;

/** Parameters of the block named `at`, in the reference's order. */
export function planBlock(at: string, config: XlstmBlockStackConfig, index: number): ParameterPlan[] {
  const norm = (name: string) => plan(`${at}.${name}.weight`, [config.embeddingDim], constant(0));
  if (!config.slstmAt.includes(index)) return [norm('xlstm_norm'), ...planMlstmLayer(`${at}.xlstm`, config)];
  return [
    norm('xlstm_norm'),
    ...planSlstmLayer(`${at}.xlstm`, config, index),
    ...(config.feedForward ? [norm('ffn_norm'), ...planFeedForward(`${at}.ffn`, config)] : []),
  ];
}

/** LayerNorm without bias, its weight stored less one. */
export function layerNorm(scope: Scope, x: Tensor, weight: Tensor): Tensor {
  return headLayerNorm(scope, x, weight, { heads: 1, eps: NORM_EPS, weightOffset: 1 });
}

/** A residual block: `x += layer(norm(x))`, then for an sLSTM block `x += feedForward(norm(x))`. */
export class Block {
  readonly #parameters: Parameters;
  readonly #at: string;
  readonly #layer: Layer;
  readonly #feedForward: FeedForward | undefined;

  constructor(parameters: Parameters, at: string, config: XlstmBlockStackConfig, index: number, zeros: Tensor) {
    this.#parameters = parameters;
    this.#at = at;
    const stream = STREAMS_PER_BLOCK * index + 1; // 0 is the embedding's
    const isSlstm = config.slstmAt.includes(index);
    this.#layer = isSlstm
      ? new SlstmLayer(parameters, `${at}.xlstm`, config, stream, zeros)
      : new MlstmLayer(parameters, `${at}.xlstm`, config, stream);
    this.#feedForward =
      isSlstm && config.feedForward ? new FeedForward(parameters, `${at}.ffn`, config, stream + 1) : undefined;
  }

  /** `x [B, S, D]` → `[B, S, D]`. */
  forward(scope: Scope, x: Tensor, options: ForwardOptions): Tensor {
    const inner = this.#add(scope, x, 'xlstm_norm', (normed) => this.#layer.forward(scope, normed, options));
    if (!this.#feedForward) return inner;
    const feedForward = this.#feedForward;
    const y = this.#add(scope, inner, 'ffn_norm', (normed) => feedForward.forward(scope, normed, options));
    scope.release(inner);
    return y;
  }

  createState(batch: number): LayerState {
    return this.#layer.createState(batch);
  }

  #add(scope: Scope, x: Tensor, norm: string, branch: (normed: Tensor) => Tensor): Tensor {
    const normed = layerNorm(scope, x, this.#parameters.get(`${this.#at}.${norm}.weight`));
    const change = branch(normed);
    const sum = residual(scope, x, change);
    scope.release(normed, change);
    return sum;
  }
}
