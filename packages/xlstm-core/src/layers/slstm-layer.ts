import type { Device } from '@xlstm/device';
import { slstmStateLength } from '@xlstm/mlstm-kernels';
import {
  blockDiagonalLinears,
  causalConv,
  dropout,
  headLayerNorm,
  type Parameters,
  type Scope,
  silu,
  Tensor,
} from '@xlstm/tensor';
import { slstmCell } from '../cells/slstm-cell.ts';
import type { XlstmBlockStackConfig } from '../config/stack-config.ts';
import { constant, smallInit, uniform } from '../initialisers/initialisers.ts';
import { slstmBias } from '../initialisers/slstm-bias.ts';
import type { ForwardOptions, Layer, LayerState } from './layer.ts';
import { type ParameterPlan, plan } from './parameter-plan.ts';

const NORM_EPS = 1e-5;

/** Parameters of the sLSTM layer named `at` in block `blockIndex`, in the reference's order. */
export function planSlstmLayer(at: string, config: XlstmBlockStackConfig, blockIndex: number): ParameterPlan[] {
  const { embeddingDim: D, numBlocks } = config;
  const slstm = config.slstm!;
  const { conv1dKernelSize: K, numHeads: NH } = slstm;
  const DH = D / NH;
  const bound = uniform(1 / Math.sqrt(K));
  const place = { numHeads: NH, headDim: DH, blockIndex, numBlocks };
  return [
    ...(K > 0 ? [plan(`${at}.conv1d.conv.weight`, [D, 1, K], bound), plan(`${at}.conv1d.conv.bias`, [D], bound)] : []),
    ...['fgate', 'igate', 'zgate', 'ogate'].map((gate) => plan(`${at}.${gate}.weight`, [NH, DH, DH], smallInit(D))),
    plan(
      `${at}.slstm_cell._recurrent_kernel_`,
      [NH, 4 * DH, DH],
      slstm.recurrentWeightInit === 'zeros' ? constant(0) : uniform(1 / Math.sqrt(D)),
    ),
    plan(`${at}.slstm_cell._bias_`, [4 * D], slstmBias(slstm.biasInit, place)),
    ...(slstm.groupNormWeight ? [plan(`${at}.group_norm.weight`, [D], constant(0))] : []),
  ];
}

/**
 * The sLSTM layer (xLSTM, 2405.04517, figure 10):
 *
 *     a = silu(conv(x));  y = headNorm(dropout(cell(headwise(a), headwise(a), headwise(x), headwise(x))))
 *
 * In published weights the tensor named `fgate` drives the cell's input gate and `igate` its forget gate.
 */
export class SlstmLayer implements Layer {
  readonly #device: Device;
  readonly #config: XlstmBlockStackConfig;
  readonly #parameters: Parameters;
  readonly #at: string;
  readonly #dropoutStream: number;
  /** Stands for a norm's weight where the layer has none. */
  readonly #zeros: Tensor;

  constructor(parameters: Parameters, at: string, config: XlstmBlockStackConfig, dropoutStream: number, zeros: Tensor) {
    this.#device = parameters.device;
    this.#config = config;
    this.#parameters = parameters;
    this.#at = at;
    this.#dropoutStream = dropoutStream;
    this.#zeros = zeros;
  }

  forward(scope: Scope, x: Tensor, { state, dropout: seed }: ForwardOptions): Tensor {
    const {
      numHeads,
      conv1dKernelSize: K,
      gradientRecurrentCut,
      gradientRecurrentClipval,
      forwardClipval,
    } = this.#config.slstm!;
    let a = x;
    if (K > 0) {
      const conv = causalConv(scope, {
        x,
        weight: this.#get('conv1d.conv.weight'),
        bias: this.#get('conv1d.conv.bias'),
        state: state?.conv,
        nextState: state?.conv,
      });
      a = silu(scope, conv);
      scope.release(conv);
    }
    const gates = blockDiagonalLinears(scope, [
      { x: a, weight: this.#get('fgate.weight') },
      { x: a, weight: this.#get('igate.weight') },
      { x, weight: this.#get('zgate.weight') },
      { x, weight: this.#get('ogate.weight') },
    ]);
    if (a !== x) scope.release(a);
    const h = slstmCell(
      scope,
      { x: gates, recurrent: this.#get('slstm_cell._recurrent_kernel_'), bias: this.#get('slstm_cell._bias_') },
      { heads: numHeads, state: state?.cell, gradientRecurrentCut, gradientRecurrentClipval, forwardClipval },
    );
    scope.release(gates);
    const p = this.#config.dropout;
    const dropped = seed && p > 0 ? dropout(scope, h, { p, seed, stream: this.#dropoutStream }) : h;
    const weight = this.#parameters.find(`${this.#at}.group_norm.weight`) ?? this.#zeros;
    const y = headLayerNorm(scope, dropped, weight, { heads: numHeads, eps: NORM_EPS, weightOffset: 1 });
    scope.release(h);
    if (dropped !== h) scope.release(dropped);
    return y;
  }

  createState(batch: number): LayerState {
    const { embeddingDim: D } = this.#config;
    const { conv1dKernelSize: K, numHeads: NH } = this.#config.slstm!;
    const owned = (length: number, what: string) =>
      this.#device.alloc('fp32', length, { owner: 'state', label: `${what} of ${this.#at}` });
    return {
      conv: K > 1 ? new Tensor(owned(batch * (K - 1) * D, 'inputs'), [batch, K - 1, D]) : undefined,
      cell: owned(slstmStateLength({ B: batch, NH, DH: D / NH }), 'state'),
      cellPlanes: [D, D, D, D],
    };
  }

  #get(name: string): Tensor {
    return this.#parameters.get(`${this.#at}.${name}`);
  }
}
