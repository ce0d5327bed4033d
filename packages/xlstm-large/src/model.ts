import { type Device, DisposedError, type FloatDtype, ShapeError } from '@xlstm/device';
import { mlstmSequence, sequenceMajor } from '@xlstm/mlstm-kernels';
import {
  embedding,
  headLayerNorm,
  linear,
  rmsNorm,
  type Scope,
  softCap,
  softCapInPlace,
  swiglu,
  Tensor,
} from '@xlstm/tensor';
import type { XlstmLargeConfig, XlstmLargeDims } from './config.ts';
import { type StateMaker, XlstmState } from './state.ts';
import { type LoadWeightsOptions, loadWeights, type WeightSource, type Weights } from './weights.ts';

/**
 * xLSTM Large, the architecture of xLSTM 7B (2503.13427, section 3), written once and readably. It is what the golden
 * vectors test, and what every faster path is held to.
 *
 *     x += mlstm(rmsNorm(x));  x += ffn(rmsNorm(x))      for each block
 *     logits = cap · tanh(head(rmsNorm(x)) / cap)
 */
export class XLSTMLarge implements Disposable {
  readonly device: Device;
  readonly config: XlstmLargeConfig;
  readonly dims: XlstmLargeDims;
  readonly weights: Weights;
  readonly #maker: StateMaker;
  #disposed = false;

  constructor(device: Device, weights: Weights) {
    this.device = device;
    this.weights = weights;
    this.config = weights.config;
    this.dims = weights.dims;
    const { config, dims, fingerprint } = weights;
    this.#maker = { device, config, dims, fingerprint, states: new Set() };
  }

  /**
   * Loads a model onto a device.
   *
   * @throws CheckpointError when tensors are missing or disagree with the configuration.
   */
  static async load(
    device: Device,
    config: XlstmLargeConfig,
    source: WeightSource,
    options: LoadWeightsOptions,
  ): Promise<XLSTMLarge> {
    return new XLSTMLarge(device, await loadWeights(device, config, source, options));
  }

  /** The dtype that the matrices are kept in. */
  get dtype(): FloatDtype {
    return this.weights.dtype;
  }

  /** Which model this is, whatever dtype it was loaded in. States carry it. */
  get fingerprint(): string {
    return this.weights.fingerprint;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** An empty past for `batch` independent sequences. @throws DisposedError after `dispose()`. */
  createState(batch = 1): XlstmState {
    if (this.#disposed) throw new DisposedError('createState: the model was disposed; load it again');
    return new XlstmState(this.#maker, batch);
  }

  /**
   * Reads `tokens [B, S]` (int32) after the past in `state`, which moves on by S tokens.
   *
   * @returns hidden states after the output norm, `[B, S, D]`; `logits` turns them into predictions
   */
  forward(scope: Scope, tokens: Tensor, state: XlstmState): Tensor {
    const [batch, length] = tokens.shape;
    if (tokens.shape.length !== 2 || batch !== state.batch || !length) {
      throw new ShapeError(
        `forward: tokens must be [${state.batch}, S] to go with the state, got [${tokens.shape}]; create a state of that batch`,
      );
    }
    state.assertLive('forward');
    const x = embedding(scope, tokens, this.weights.get('embedding'));
    for (let block = 0; block < this.config.numBlocks; block++) {
      this.#mlstm(scope, block, x, state);
      this.#feedForward(scope, block, x);
    }
    state.position += length;
    if (!this.config.addOutNorm) return x;
    const normed = this.#norm(scope, 'outNorm', x);
    scope.release(x);
    return normed;
  }

  /** Predictions for hidden states `[..., D]`: logits `[..., V]`, soft-capped. */
  logits(scope: Scope, hidden: Tensor): Tensor {
    const head = this.weights.find('head') ?? this.weights.get('embedding');
    const raw = linear(scope, hidden, head);
    const capped = softCap(scope, raw, this.config.outputLogitSoftCap);
    scope.release(raw);
    return capped;
  }

  /** x [B, S, D] += mLSTM layer of rmsNorm(x): projections, gates, cell, head norm, output gate, projection. */
  #mlstm(scope: Scope, block: number, x: Tensor, state: XlstmState): void {
    const { numHeads: NH, normEps, gateSoftCap, inputGate, cellEps } = this.config;
    const { qkDim, vDim, DHQK, DHHV } = this.dims;
    const [B, S] = x.shape as [number, number, number];
    const at = `blocks.${block}`;

    const normed = this.#norm(scope, `${at}.normMlstm`, x);
    const qkvo = this.#linear(scope, `${at}.qkvo`, normed); // [B, S, q | k | v | o]
    const gates = this.#linear(scope, `${at}.gates`, normed); // [B, S, i | f]
    softCapInPlace(scope, gates, gateSoftCap);

    const h = scope.tensor([B, S, vDim], 'fp32', 'h');
    const heads = { NH, S };
    const part = (width: number, offset: number) => ({
      buffer: qkvo.buffer,
      layout: sequenceMajor(heads, width, qkvo.cols, offset),
    });
    const gate = (offset: number) => ({ buffer: gates.buffer, layout: sequenceMajor(heads, 1, gates.cols, offset) });
    mlstmSequence(
      scope.arena,
      { B, NH, S, DHQK, DHHV },
      {
        q: part(DHQK, 0),
        k: part(DHQK, qkDim),
        v: part(DHHV, 2 * qkDim),
        i: gate(0),
        f: gate(NH),
        state: state.blocks[block]!,
        h: { buffer: h.buffer, layout: sequenceMajor(heads, DHHV) },
      },
      { gate: inputGate, eps: cellEps },
    );

    const bias = this.weights.find(`${at}.headNorm.bias`);
    const gated = headLayerNorm(scope, h, this.weights.get(`${at}.headNorm`), {
      heads: NH,
      eps: normEps,
      gate: qkvo.columns(2 * qkDim + vDim, vDim), // · sigmoid(o)
      ...(bias ? { bias } : {}),
    });
    this.#linear(scope, `${at}.out`, gated, x);
    scope.release(normed, qkvo, gates, h, gated);
  }

  /** x [B, S, D] += down(silu(gate) · up) of rmsNorm(x). */
  #feedForward(scope: Scope, block: number, x: Tensor): void {
    const { ffnDim } = this.dims;
    const at = `blocks.${block}`;
    const normed = this.#norm(scope, `${at}.normFfn`, x);
    const gateUp = this.#linear(scope, `${at}.gateUp`, normed); // [B, S, gate | up]
    const inner = swiglu(scope, gateUp.columns(0, ffnDim), gateUp.columns(ffnDim, ffnDim));
    this.#linear(scope, `${at}.down`, inner, x);
    scope.release(normed, gateUp, inner);
  }

  #norm(scope: Scope, name: string, x: Tensor): Tensor {
    const bias = this.weights.find(`${name}.bias`);
    return rmsNorm(scope, x, this.weights.get(name), { eps: this.config.normEps, ...(bias ? { bias } : {}) });
  }

  #linear(scope: Scope, name: string, x: Tensor, addTo?: Tensor): Tensor {
    const bias = this.weights.find(`${name}.bias`);
    return linear(scope, x, this.weights.get(name), { ...(bias ? { bias } : {}), ...(addTo ? { addTo } : {}) });
  }

  /** Releases the weights, and every state that the model made or that was cloned from one. */
  dispose(): void {
    this.#disposed = true;
    for (const state of [...this.#maker.states]) state.dispose();
    this.weights.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** `[B, V]` view of a state's last logits. */
export function lastLogits(state: XlstmState): Tensor {
  return new Tensor(state.logits, [state.batch, state.config.vocabSize]);
}
