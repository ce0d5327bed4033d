import type { Device } from '@xlstm/device';
import { mlstmStateLength } from '@xlstm/mlstm-kernels';
import {
  blockDiagonalLinears,
  causalConv,
  dropout,
  gatedSkip,
  headLayerNorm,
  type LinearOptions,
  linear,
  type Parameters,
  type Scope,
  silu,
  Tensor,
} from '@xlstm/tensor';
import { mlstmCell } from '../cells/mlstm-cell.ts';
import type { XlstmBlockStackConfig } from '../config/stack-config.ts';
import { constant, linspace, normal, smallInit, uniform, wangInit } from '../initialisers/initialisers.ts';
import type { ForwardOptions, Layer, LayerState } from './layer.ts';
import { type ParameterPlan, plan } from './parameter-plan.ts';

const NORM_EPS = 1e-5;

/** Parameters of the mLSTM layer named `at`, in the reference's order. */
export function planMlstmLayer(at: string, config: XlstmBlockStackConfig): ParameterPlan[] {
  const { embeddingDim: D, numBlocks, bias } = config;
  const { innerDim, conv1dKernelSize: K, qkvProjBlocksize: block, numHeads: NH } = config.mlstm!;
  const projection = (name: string) => [
    plan(`${at}.${name}.weight`, [innerDim / block, block, block], smallInit(D)),
    ...(bias ? [plan(`${at}.${name}.bias`, [innerDim], constant(0))] : []),
  ];
  const dense = (name: string, out: number, input: number, init: ReturnType<typeof smallInit>) => [
    plan(`${at}.${name}.weight`, [out, input], init),
    ...(bias ? [plan(`${at}.${name}.bias`, [out], constant(0))] : []),
  ];
  return [
    plan(`${at}.learnable_skip`, [innerDim], constant(1)),
    ...dense('proj_up', 2 * innerDim, D, smallInit(D)),
    ...['q_proj', 'k_proj', 'v_proj'].flatMap(projection),
    plan(`${at}.conv1d.conv.weight`, [innerDim, 1, K], uniform(1 / Math.sqrt(K))),
    plan(`${at}.conv1d.conv.bias`, [innerDim], uniform(1 / Math.sqrt(K))),
    plan(`${at}.mlstm_cell.igate.weight`, [NH, 3 * innerDim], constant(0)),
    plan(`${at}.mlstm_cell.igate.bias`, [NH], normal(0.1)),
    plan(`${at}.mlstm_cell.fgate.weight`, [NH, 3 * innerDim], constant(0)),
    plan(`${at}.mlstm_cell.fgate.bias`, [NH], linspace(3, 6)),
    plan(`${at}.mlstm_cell.outnorm.weight`, [innerDim], constant(0)),
    ...dense('proj_down', D, innerDim, wangInit(D, numBlocks)),
  ];
}

/**
 * The mLSTM layer, with its projection up before the cell (xLSTM, 2405.04517, figure 11):
 *
 *     x, z = up(input);  a = silu(conv(x))
 *     q, k = blockDiagonal(a);  v = blockDiagonal(x);  i, f = linear([q, k, v])
 *     y = down((headNorm(cell(q, k, v, i, f)) + skip · a) · silu(z))
 */
export class MlstmLayer implements Layer {
  readonly #device: Device;
  readonly #config: XlstmBlockStackConfig;
  readonly #parameters: Parameters;
  readonly #at: string;
  readonly #dropoutStream: number;

  constructor(parameters: Parameters, at: string, config: XlstmBlockStackConfig, dropoutStream: number) {
    this.#device = parameters.device;
    this.#config = config;
    this.#parameters = parameters;
    this.#at = at;
    this.#dropoutStream = dropoutStream;
  }

  forward(scope: Scope, x: Tensor, { state, dropout: seed }: ForwardOptions): Tensor {
    const { innerDim, numHeads: NH } = this.#config.mlstm!;
    const up = linear(scope, x, this.#get('proj_up.weight'), this.#bias('proj_up'));
    const inner = up.columns(0, innerDim);
    const z = up.columns(innerDim, innerDim);

    const conv = causalConv(scope, {
      x: inner,
      weight: this.#get('conv1d.conv.weight'),
      bias: this.#get('conv1d.conv.bias'),
      state: state?.conv,
      nextState: state?.conv,
    });
    const a = silu(scope, conv);
    const qkv = blockDiagonalLinears(scope, [
      { x: a, weight: this.#get('q_proj.weight'), ...this.#bias('q_proj') },
      { x: a, weight: this.#get('k_proj.weight'), ...this.#bias('k_proj') },
      { x: inner, weight: this.#get('v_proj.weight'), ...this.#bias('v_proj') },
    ]);
    const i = linear(scope, qkv, this.#get('mlstm_cell.igate.weight'), this.#gateOptions('igate'));
    const f = linear(scope, qkv, this.#get('mlstm_cell.fgate.weight'), this.#gateOptions('fgate'));
    const [q, k, v] = [0, 1, 2].map((part) => qkv.columns(part * innerDim, innerDim)) as [Tensor, Tensor, Tensor];
    const h = mlstmCell(scope, { q, k, v, i, f }, { heads: NH, state: state?.cell });
    const normed = headLayerNorm(scope, h, this.#get('mlstm_cell.outnorm.weight'), {
      heads: NH,
      eps: NORM_EPS,
      weightOffset: 1,
    });
    const gated = gatedSkip(scope, { h: normed, skip: this.#get('learnable_skip'), a, z });
    const down = linear(scope, gated, this.#get('proj_down.weight'), this.#bias('proj_down'));
    scope.release(up, conv, a, qkv, i, f, h, normed, gated);
    if (!seed || this.#config.dropout === 0) return down;
    const y = dropout(scope, down, { p: this.#config.dropout, seed, stream: this.#dropoutStream });
    scope.release(down);
    return y;
  }

  createState(batch: number): LayerState {
    const { innerDim, conv1dKernelSize: K, numHeads: NH } = this.#config.mlstm!;
    const DH = innerDim / NH;
    const cell = this.#device.alloc('fp32', mlstmStateLength({ B: batch, NH, DHQK: DH, DHHV: DH }), {
      owner: 'state',
      label: `state of ${this.#at}`,
    });
    const conv =
      K > 1
        ? new Tensor(
            this.#device.alloc('fp32', batch * (K - 1) * innerDim, { owner: 'state', label: `inputs of ${this.#at}` }),
            [batch, K - 1, innerDim],
          )
        : undefined;
    return { conv, cell, cellPlanes: [NH * DH * DH, NH * DH, NH] };
  }

  #get(name: string): Tensor {
    return this.#parameters.get(`${this.#at}.${name}`);
  }

  /** Gates stay in float32 where products are of 16 bits: what they are off by grows with every step of the memory. */
  #gateOptions(name: string): LinearOptions {
    return { ...this.#bias(`mlstm_cell.${name}`), precision: 'fp32' };
  }

  #bias(name: string): { bias?: Tensor } {
    const bias = this.#parameters.find(`${this.#at}.${name}.bias`);
    return bias ? { bias } : {};
  }
}
