import { type Device, type DeviceBuffer, DisposedError, ShapeError, type WeightDtype } from '@xlstm/device';
import {
  crossEntropy,
  dropout,
  embedding,
  fillWhere,
  headLayerNorm,
  type LinearOptions,
  linear,
  requireTargets,
  rmsNorm,
  type Scope,
  softCap,
  swiglu,
  Tape,
  Tensor,
  type TrainableParameter,
} from '@xlstm/tensor';
import { mlstmCell } from '@xlstm/xlstm-core/cells';
import type { XlstmLargeConfig, XlstmLargeDims } from './config.ts';
import { type LoadWeightsOptions, loadWeights } from './load-weights.ts';
import { type StateMaker, XlstmState } from './state.ts';
import type { WeightSource } from './weight-source.ts';
import type { Weights } from './weights.ts';

/** What a forward pass may be given for training. */
export interface TrainingForwardOptions {
  /** On a tape: whether blocks are computed a second time for their gradients instead of kept. Default false. */
  recompute?: boolean | undefined;
  /**
   * Drops elements of the embedding and of what goes into the projections back into the residual stream; off by default. The
   * architecture has no dropout when it runs.
   */
  dropout?: { p: number /** `[2]` u32: seed and step. */; seed: Tensor } | undefined;
  /** Forgets everything where this token stands: the forget gates are closed there. Off by default. */
  resetToken?: number | undefined;
}

/** Counts as a closed gate. */
const CLOSED = -1e30;
/** Dropouts of a block, each of which needs random numbers of its own. */
const DROPOUTS_PER_BLOCK = 2;

/** Options of `loss`. */
export interface LossOptions {
  /** The past, which moves on; without one, sequences begin empty and are forgotten. */
  state?: XlstmState | undefined;
  /** Targets of this value do not count. Default −1. */
  ignoreIndex?: number | undefined;
}

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
  get dtype(): WeightDtype {
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
   * Reads `tokens [B, S]` (int32) after the past in `state`, which moves on by S tokens; sequences begin empty and are
   * forgotten without one. On a tape, no gradient goes into the state that was handed in.
   *
   * @returns hidden states after the output norm, `[B, S, D]`; `logits` turns them into predictions
   */
  forward(scope: Scope, tokens: Tensor, state?: XlstmState, options: TrainingForwardOptions = {}): Tensor {
    const [batch, length] = tokens.shape;
    if (tokens.shape.length !== 2 || !batch || !length || (state && batch !== state.batch)) {
      throw new ShapeError(
        `forward: tokens must be [${state?.batch ?? 'B'}, S]${state ? ' to go with the state' : ''}, got [${tokens.shape}]; create a state of that batch`,
      );
    }
    state?.assertFor('forward', this);
    let x = this.#dropout(scope, embedding(scope, tokens, this.weights.matrix('embedding')), options, 0);
    for (let block = 0; block < this.config.numBlocks; block++) {
      const memory = state?.blocks[block];
      const run = (inner: Scope, input: Tensor) =>
        this.#feedForward(inner, block, this.#mlstm(inner, block, input, memory, tokens, options), options);
      if (options.recompute && scope instanceof Tape) {
        const next = scope.recompute(`block ${block}`, [x], run, memory ? [memory] : []);
        scope.release(x);
        x = next;
      } else x = run(scope, x);
    }
    if (state) state.position += length;
    if (!this.config.addOutNorm) return x;
    const normed = this.#norm(scope, 'outNorm', x);
    scope.release(x);
    return normed;
  }

  /** Predictions for hidden states `[..., D]`: logits `[..., V]`, soft-capped. */
  logits(scope: Scope, hidden: Tensor): Tensor {
    const head = this.weights.findMatrix('head') ?? this.weights.matrix('embedding');
    const raw = linear(scope, hidden, head);
    const capped = softCap(scope, raw, this.config.outputLogitSoftCap);
    scope.release(raw);
    return capped;
  }

  /**
   * The mean cross-entropy of the next tokens, in nats; the logits of the whole vocabulary are never all kept.
   *
   * @param tokens `[B, S]` i32
   * @param targets `[B, S]` i32: for each token the one that follows it, or `ignoreIndex` (−1)
   * @returns `[1]` fp32; on a tape, call `backward()` on it
   * @throws ShapeError when tokens and targets differ in shape.
   */
  loss(scope: Scope, tokens: Tensor, targets: Tensor, options: TrainingForwardOptions & LossOptions = {}): Tensor {
    const crossEntropyOptions = { ignoreIndex: options.ignoreIndex ?? -1, softCap: this.config.outputLogitSoftCap };
    requireTargets('loss', tokens, targets, crossEntropyOptions);
    const hidden = this.forward(scope, tokens, options.state, options);
    const head = this.weights.findMatrix('head') ?? this.weights.matrix('embedding');
    const loss = crossEntropy(scope, { hidden, head, targets }, crossEntropyOptions);
    scope.release(hidden);
    return loss;
  }

  /**
   * All parameters with their gradients, for a tape and an optimiser, as the model keeps them: projections of one input
   * stacked. Matrices decay, but for the embedding.
   *
   * @throws DtypeError unless the weights are fp32.
   */
  parameters(): readonly TrainableParameter[] {
    return this.weights.parameters(this.device);
  }

  /** x [B, S, D] + mLSTM layer of rmsNorm(x): projections, gates, cell, head norm, output gate, projection. */
  #mlstm(
    scope: Scope,
    block: number,
    x: Tensor,
    state: DeviceBuffer | undefined,
    tokens: Tensor,
    options: TrainingForwardOptions,
  ): Tensor {
    const { numHeads: heads, normEps, gateSoftCap, inputGate, cellEps } = this.config;
    const { qkDim, vDim } = this.dims;
    const at = `blocks.${block}`;

    const normed = this.#norm(scope, `${at}.normMlstm`, x);
    const qkvo = this.#linear(scope, `${at}.qkvo`, normed); // [B, S, q | k | v | o]
    const raw = this.#linear(scope, `${at}.gates`, normed, { precision: 'fp32' }); // [B, S, i | f]
    const gates = softCap(scope, raw, gateSoftCap);
    const { resetToken } = options;
    const open = gates.columns(heads, heads);
    const f = resetToken === undefined ? open : fillWhere(scope, open, { ids: tokens, id: resetToken, value: CLOSED });
    const h = mlstmCell(
      scope,
      {
        q: qkvo.columns(0, qkDim),
        k: qkvo.columns(qkDim, qkDim),
        v: qkvo.columns(2 * qkDim, vDim),
        i: gates.columns(0, heads),
        f,
      },
      { heads, gate: inputGate, eps: cellEps, state },
    );
    const bias = this.weights.find(`${at}.headNorm.bias`);
    const gated = headLayerNorm(scope, h, this.weights.get(`${at}.headNorm`), {
      heads,
      eps: normEps,
      gate: qkvo.columns(2 * qkDim + vDim, vDim), // · sigmoid(o)
      ...(bias ? { bias } : {}),
    });
    if (f !== open) scope.release(f);
    scope.release(normed, qkvo, raw, gates, h);
    const dropped = this.#dropout(scope, gated, options, DROPOUTS_PER_BLOCK * block + 1);
    const y = this.#linear(scope, `${at}.out`, dropped, { addTo: x });
    scope.release(dropped);
    return y;
  }

  /** x [B, S, D] + down(silu(gate) · up) of rmsNorm(x). */
  #feedForward(scope: Scope, block: number, x: Tensor, options: TrainingForwardOptions): Tensor {
    const { ffnDim } = this.dims;
    const at = `blocks.${block}`;
    const normed = this.#norm(scope, `${at}.normFfn`, x);
    const gateUp = this.#linear(scope, `${at}.gateUp`, normed); // [B, S, gate | up]
    const inner = swiglu(scope, gateUp.columns(0, ffnDim), gateUp.columns(ffnDim, ffnDim));
    scope.release(normed, gateUp);
    const dropped = this.#dropout(scope, inner, options, DROPOUTS_PER_BLOCK * block + 2);
    const y = this.#linear(scope, `${at}.down`, dropped, { addTo: x });
    scope.release(dropped);
    return y;
  }

  /** x itself without dropout; else x is released, and what remains of it returned. */
  #dropout(scope: Scope, x: Tensor, { dropout: options }: TrainingForwardOptions, stream: number): Tensor {
    if (!options || options.p === 0) return x;
    const y = dropout(scope, x, { ...options, stream });
    scope.release(x);
    return y;
  }

  #norm(scope: Scope, name: string, x: Tensor): Tensor {
    const bias = this.weights.find(`${name}.bias`);
    return rmsNorm(scope, x, this.weights.get(name), { eps: this.config.normEps, ...(bias ? { bias } : {}) });
  }

  #linear(scope: Scope, name: string, x: Tensor, options: LinearOptions = {}): Tensor {
    const bias = this.weights.find(`${name}.bias`);
    return linear(scope, x, this.weights.matrix(name), { ...(bias ? { bias } : {}), ...options });
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
