import type { Device } from '@xlstm/device';
import { mlstmStep, type Operand, sequenceMajor } from '@xlstm/mlstm-kernels';
import {
  embedding,
  FUSED_LINEAR_MAX_ROWS,
  type FusedLinearOptions,
  fusedLinear,
  headLayerNorm,
  rmsNorm,
  type Scope,
  type Tensor,
} from '@xlstm/tensor';
import { lastLogits, type XLSTMLarge } from '../model.ts';
import type { XlstmState } from '../state.ts';

/**
 * Whether one step of `batch` sequences is best taken by `queueFusedStep`: up to 8 of them, on the CPU device or a GPU with subgroups.
 * Software adapters are faster with the forms that the products of `model.ts` have for them.
 */
export function servesFusedStep({ device }: XLSTMLarge, batch: number): boolean {
  if (batch > FUSED_LINEAR_MAX_ROWS) return false;
  return device.kind === 'cpu' || (device.info.features.includes('subgroups') && !device.info.software);
}

const KIB = 1024;

/**
 * Whether the head norm can be made in the launch of the product that follows: one row, which must fit into workgroup memory
 * beside the sums (the sizes are those of `fused-linear`'s forms).
 */
function fusesHeadNorm(device: Device, batch: number, width: number, heads: number): boolean {
  if (batch !== 1) return false;
  if (device.kind === 'cpu') return true;
  if (width % 8 !== 0 || (width / heads) % 32 !== 0) return false;
  const memory = device.info.limits.maxComputeWorkgroupStorageSize ?? 16 * KIB;
  return 4 * width <= (memory >= 32 * KIB ? 28 * KIB : 12 * KIB);
}

/** A norm to be made in the launch of a product, and x as that launch takes it. */
interface NormedInput {
  x: Tensor;
  norm: FusedLinearOptions['norm'];
  release: () => void;
}

/** One block after the other, x [B, D] in place. */
class FusedStep {
  readonly #model: XLSTMLarge;
  readonly #scope: Scope;
  readonly #state: XlstmState;
  readonly #arrivals: Tensor;

  constructor(model: XLSTMLarge, scope: Scope, state: XlstmState) {
    this.#model = model;
    this.#scope = scope;
    this.#state = state;
    this.#arrivals = scope.tensor([state.batch * model.config.numHeads], 'u32', 'arrivals');
    model.device.clear(this.#arrivals.buffer);
  }

  run(token: Tensor): void {
    const { config, weights } = this.#model;
    const scope = this.#scope;
    const x = embedding(scope, token, weights.matrix('embedding'));
    for (let block = 0; block < config.numBlocks; block++) {
      this.#mlstm(block, x);
      this.#feedForward(block, x);
    }
    const input = config.addOutNorm ? this.#normed('outNorm', x) : { x, norm: undefined, release: () => {} };
    const weight = weights.findMatrix('head') ?? weights.matrix('embedding');
    const y = lastLogits(this.#state);
    fusedLinear(scope, { x: input.x, weight, y }, { norm: input.norm, cap: config.outputLogitSoftCap });
    input.release();
    scope.release(x, this.#arrivals);
  }

  /** x += out(sigmoid(o) · headNorm(cell(q, k, v, i, f))) of rmsNorm(x). */
  #mlstm(block: number, x: Tensor): void {
    const { config, dims, weights, device } = this.#model;
    const { numHeads: NH, normEps, gateSoftCap, inputGate, cellEps } = config;
    const { qkDim, vDim, DHQK, DHHV } = dims;
    const scope = this.#scope;
    const at = `blocks.${block}`;
    const B = x.rows;
    const width = 2 * qkDim + 2 * vDim;

    const projected = scope.tensor([B, width + 2 * NH], 'fp32', 'q, k, v, o, i, f');
    const input = this.#normed(`${at}.normMlstm`, x);
    const bias = weights.find(`${at}.qkvo.bias`);
    const gates = { weight: weights.get(`${at}.gates`), bias: weights.get(`${at}.gates.bias`), cap: gateSoftCap };
    const tensors = { x: input.x, weight: weights.matrix(`${at}.qkvo`), y: projected };
    if (!bias) {
      fusedLinear(scope, tensors, { norm: input.norm, extra: { ...gates, column: width } });
    } else {
      fusedLinear(scope, tensors, { norm: input.norm, bias });
      fusedLinear(
        scope,
        { ...tensors, weight: weights.matrix(`${at}.gates`) },
        { norm: input.norm, bias: gates.bias, cap: gateSoftCap, column: width },
      );
    }
    input.release();

    const h = scope.tensor([B, vDim], 'fp32', 'mlstm h');
    const operand = (tensor: Tensor, each: number): Operand => ({
      buffer: tensor.buffer,
      layout: sequenceMajor({ NH, S: 1 }, each, tensor.rowStride, tensor.offset),
    });
    mlstmStep(
      device,
      { B, NH, S: 1, DHQK, DHHV },
      {
        q: operand(projected.columns(0, qkDim), DHQK),
        k: operand(projected.columns(qkDim, qkDim), DHQK),
        v: operand(projected.columns(2 * qkDim, vDim), DHHV),
        i: operand(projected.columns(width, NH), 1),
        f: operand(projected.columns(width + NH, NH), 1),
        h: operand(h, DHHV),
        state: this.#state.blocks[block]!,
        arrivals: this.#arrivals.buffer,
      },
      { gate: inputGate, eps: cellEps },
    );

    const gate = projected.columns(2 * qkDim + vDim, vDim);
    const weight = weights.get(`${at}.headNorm`);
    const headBias = weights.find(`${at}.headNorm.bias`);
    const out = weights.matrix(`${at}.out`);
    const added = { epilogue: 'add', bias: weights.find(`${at}.out.bias`) } as const;
    if (!headBias && fusesHeadNorm(device, B, vDim, NH)) {
      const norm = { kind: 'heads', weight, eps: normEps, heads: NH, gate } as const;
      fusedLinear(scope, { x: h, weight: out, y: x }, { ...added, norm });
    } else {
      const options = { heads: NH, eps: normEps, gate, ...(headBias ? { bias: headBias } : {}) };
      const normed = headLayerNorm(scope, h, weight, options);
      fusedLinear(scope, { x: normed, weight: out, y: x }, added);
      scope.release(normed);
    }
    scope.release(projected, h);
  }

  /** x += down(silu(gate) · up) of rmsNorm(x). */
  #feedForward(block: number, x: Tensor): void {
    const { dims, weights } = this.#model;
    const scope = this.#scope;
    const at = `blocks.${block}`;
    const inner = scope.tensor([x.rows, dims.ffnDim], 'fp32', 'ffn');
    const input = this.#normed(`${at}.normFfn`, x);
    fusedLinear(
      scope,
      { x: input.x, weight: weights.matrix(`${at}.gateUp`), y: inner },
      { norm: input.norm, epilogue: 'swiglu', bias: weights.find(`${at}.gateUp.bias`) },
    );
    input.release();
    fusedLinear(
      scope,
      { x: inner, weight: weights.matrix(`${at}.down`), y: x },
      { epilogue: 'add', bias: weights.find(`${at}.down.bias`) },
    );
    scope.release(inner);
  }

  /** The norm as a part of the next launch; one with a bias is made by itself. */
  #normed(name: string, x: Tensor): NormedInput {
    const { weights, config } = this.#model;
    const weight = weights.get(name);
    const bias = weights.find(`${name}.bias`);
    if (!bias) return { x, norm: { kind: 'rms', weight, eps: config.normEps }, release: () => {} };
    const normed = rmsNorm(this.#scope, x, weight, { eps: config.normEps, bias });
    return { x: normed, norm: undefined, release: () => this.#scope.release(normed) };
  }
}

/**
 * Queues the reading of one token of each sequence into the state, as `model.forward` and `model.logits` would, in five launches a
 * block: q, k, v, o and gates with the norm before them; the cell; head norm, output gate, projection and residual; norm, gate,
 * up and SwiGLU; down and residual. Logits go straight into the state. The state's position moves on.
 *
 * @param token `[B]` i32, B at most 8
 */
export function queueFusedStep(model: XLSTMLarge, scope: Scope, token: Tensor, state: XlstmState): void {
  state.assertFor('decode', model);
  new FusedStep(model, scope, state).run(token);
  state.position++;
}
