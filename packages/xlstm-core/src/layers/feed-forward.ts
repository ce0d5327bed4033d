import { dropout, gatedActivation, linear, type Parameters, type Scope, type Tensor } from '@xlstm/tensor';
import type { XlstmBlockStackConfig } from '../config/stack-config.ts';
import { constant, smallInit, wangInit } from '../initialisers/initialisers.ts';
import type { ForwardOptions } from './layer.ts';
import { type ParameterPlan, plan } from './parameter-plan.ts';

/** Parameters of the feed-forward named `at`, in the reference's order. */
export function planFeedForward(at: string, config: XlstmBlockStackConfig): ParameterPlan[] {
  const { embeddingDim: D, numBlocks } = config;
  const { innerDim, bias } = config.feedForward!;
  return [
    plan(`${at}.proj_up.weight`, [2 * innerDim, D], smallInit(D)),
    ...(bias ? [plan(`${at}.proj_up.bias`, [2 * innerDim], constant(0))] : []),
    plan(`${at}.proj_down.weight`, [D, innerDim], wangInit(D, numBlocks)),
    ...(bias ? [plan(`${at}.proj_down.bias`, [D], constant(0))] : []),
  ];
}

/** The gated feed-forward after an sLSTM layer: `down(act(gate) · up)`, gate and up from one projection. */
export class FeedForward {
  readonly #config: XlstmBlockStackConfig;
  readonly #parameters: Parameters;
  readonly #at: string;
  readonly #dropoutStream: number;

  constructor(parameters: Parameters, at: string, config: XlstmBlockStackConfig, dropoutStream: number) {
    this.#config = config;
    this.#parameters = parameters;
    this.#at = at;
    this.#dropoutStream = dropoutStream;
  }

  forward(scope: Scope, x: Tensor, { dropout: seed }: Pick<ForwardOptions, 'dropout'>): Tensor {
    const { innerDim, actFn, dropout: p } = this.#config.feedForward!;
    const gateUp = this.#linear(scope, 'proj_up', x);
    const inner = gatedActivation(
      scope,
      gateUp.columns(0, innerDim),
      gateUp.columns(innerDim, innerDim),
      actFn === 'gelu' ? 'gelu' : 'silu',
    );
    const down = this.#linear(scope, 'proj_down', inner);
    scope.release(gateUp, inner);
    if (!seed || p === 0) return down;
    const y = dropout(scope, down, { p, seed, stream: this.#dropoutStream });
    scope.release(down);
    return y;
  }

  #linear(scope: Scope, name: string, x: Tensor): Tensor {
    const bias = this.#parameters.find(`${this.#at}.${name}.bias`);
    return linear(scope, x, this.#parameters.get(`${this.#at}.${name}.weight`), bias ? { bias } : {});
  }
}
