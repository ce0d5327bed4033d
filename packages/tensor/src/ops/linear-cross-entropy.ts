import { type DeviceBuffer, DtypeError, GradientError, isFloatDtype, OptionError, ShapeError } from '@xlstm/device';
import type { GradientTarget } from '../gradient.ts';
import { crossEntropyKernel } from '../kernels/cross-entropy/index.ts';
import { backwardProduct } from '../kernels/matmul-backward/index.ts';
import { targetMeanKernel } from '../kernels/target-mean/index.ts';
import type { Scope } from '../scope.ts';
import { requireContiguous, Tensor } from '../tensor.ts';
import { WeightMatrix } from '../weight-matrix.ts';
import { launchProduct } from './launch-product.ts';

/** What `linearCrossEntropy` reads. */
export interface CrossEntropyInputs {
  /** `[..., D]` fp32, contiguous: what the head would turn into logits. */
  hidden: Tensor;
  /** `[V, D]`: the head, a contiguous tensor of fp32, fp16 or bf16, or a matrix; gradients need one in one piece. */
  weight: Tensor | WeightMatrix;
  /** `[...]` i32, contiguous: an id in 0…V−1, or `ignoreIndex`. */
  targets: Tensor;
  /** `[1]` fp32: the gradient of the loss, which the gradients are multiplied by; 1 when absent. */
  scale?: Tensor | undefined;
}

/** Options of `linearCrossEntropy`. */
export interface CrossEntropyOptions {
  /** Targets of this value count for nothing; −100 by default, as in PyTorch. */
  ignoreIndex?: number | undefined;
  /** Logits become `softCap · tanh(logits / softCap)`; 30 in xLSTM Large. */
  softCap?: number | undefined;
  /** What the logits of a tile of rows may take; 256 MiB by default; 64 rows are taken whatever it says. */
  logitsBytes?: number | undefined;
}

/** The gradients that `linearCrossEntropy` makes along with the loss; without any it only evaluates. */
export interface CrossEntropyTargets {
  /** `[..., D]` */
  dhidden?: GradientTarget | undefined;
  /** `[V, D]` */
  dweight?: GradientTarget | undefined;
}

/** What `linearCrossEntropy` returns; all of it belongs to the scope. */
export interface CrossEntropyResult {
  /** `[1]`: the mean over the targets that are not ignored, 0 when all are. */
  loss: Tensor;
  /** `[1]`: how many targets are not ignored. */
  count: Tensor;
  /** `[...]`, as targets: each token's loss, 0 where it is ignored. */
  tokenLosses: Tensor;
}

const DEFAULT_LOGITS_BYTES = 256 * 2 ** 20;
const LEAST_ROWS = 64;

/** Rows of a tile whose logits fit a budget: all tiles are of about one size. */
export function rowsPerTile(T: number, V: number, bytes: number): number {
  const fitting = Math.max(LEAST_ROWS, Math.floor(bytes / (4 * V)));
  return Math.ceil(T / Math.max(1, Math.ceil(T / fitting)));
}

/**
 * Checks target ids on the host, before they go to a device, where a wrong one can only turn the loss into NaN.
 *
 * @param ids token ids, each in 0…V−1 or equal to `ignoreIndex`
 * @throws OptionError that names the first wrong id and its place.
 * @example
 * ```ts
 * checkTargets(ids, 512, -100)
 * ```
 */
export function checkTargets(ids: ArrayLike<number>, V: number, ignoreIndex = -100): void {
  for (let index = 0; index < ids.length; index++) {
    const id = ids[index]!;
    if (id !== ignoreIndex && !(Number.isInteger(id) && id >= 0 && id < V)) {
      throw new OptionError(
        `checkTargets: target ${index} must be in 0…${V - 1} or ${ignoreIndex} to be ignored, got ${id}; check the tokenizer and the model's vocabulary`,
      );
    }
  }
}

/** Fills in defaults. Throws an `OptionError` that names the option at fault. */
export function checkOptions(
  operation: string,
  { ignoreIndex = -100, softCap, logitsBytes = DEFAULT_LOGITS_BYTES }: CrossEntropyOptions,
): { ignoreIndex: number; softCap: number; logitsBytes: number } {
  if (!Number.isInteger(ignoreIndex) || ignoreIndex < -(2 ** 31) || ignoreIndex >= 2 ** 31) {
    throw new OptionError(`${operation}: ignoreIndex must be a 32-bit integer, got ${ignoreIndex}`);
  }
  if (softCap !== undefined && !(softCap > 0 && Number.isFinite(softCap))) {
    throw new OptionError(
      `${operation}: softCap must be a positive finite number, got ${softCap}; leave it out for no cap`,
    );
  }
  if (!(logitsBytes > 0)) {
    throw new OptionError(`${operation}: logitsBytes must be positive, got ${logitsBytes}; leave it out for 256 MiB`);
  }
  return { ignoreIndex, softCap: softCap ?? 0, logitsBytes };
}

/** The head as a matrix. */
function headOf(weight: Tensor | WeightMatrix, operation: string): WeightMatrix {
  if (weight instanceof WeightMatrix) return weight;
  requireContiguous(operation, 'weight', weight);
  if (!isFloatDtype(weight.dtype)) {
    throw new DtypeError(`${operation}: weight must be fp32, fp16 or bf16, got ${weight.dtype}; convert it first`);
  }
  return WeightMatrix.of(weight);
}

/** Checks everything before anything is queued; gives the head. */
function checkTensors(inputs: CrossEntropyInputs, { dhidden, dweight }: CrossEntropyTargets): WeightMatrix {
  const { hidden, weight, targets, scale } = inputs;
  const operation = 'linearCrossEntropy';
  const D = hidden.cols;
  if (hidden.shape.length === 0 || D === 0) {
    throw new ShapeError(`${operation}: hidden must be [..., D] with D >= 1, got [${hidden.shape}]`);
  }
  if (weight.shape.length !== 2 || weight.shape[1] !== D || weight.shape[0] === 0) {
    throw new ShapeError(
      `${operation}: weight must be [V, ${D}] with V >= 1 for hidden [${hidden.shape}], got [${weight.shape}]; weights are stored output by input`,
    );
  }
  requireContiguous(operation, 'hidden', hidden);
  const matrix = headOf(weight, operation);
  requireContiguous(operation, 'targets', targets, hidden.shape.slice(0, -1));
  if (scale) requireContiguous(operation, 'scale', scale, [1]);
  if (dhidden) requireContiguous(operation, 'dhidden', dhidden.tensor, hidden.shape);
  if (dweight) requireContiguous(operation, 'dweight', dweight.tensor, weight.shape);
  if ((dhidden || dweight) && !matrix.tensor) {
    throw new GradientError(
      `${operation}: gradients need a float head in one piece, got ${matrix.dtype} in ${matrix.parts.length} parts; load the model with dtype fp32, on a device that binds the head whole`,
    );
  }
  if (targets.dtype !== 'i32') {
    throw new DtypeError(`${operation}: targets must be i32, got ${targets.dtype}; upload an Int32Array`);
  }
  const all = { hidden, scale, dhidden: dhidden?.tensor, dweight: dweight?.tensor };
  for (const [name, tensor] of Object.entries(all)) {
    if (tensor && tensor.dtype !== 'fp32') {
      throw new DtypeError(`${operation}: ${name} must be fp32, got ${tensor.dtype}; convert it first`);
    }
  }
  for (const [name, target] of Object.entries({ dhidden, dweight })) {
    for (const [other, tensor] of Object.entries({ ...all, weight: matrix.tensor, targets })) {
      if (target && other !== name && tensor?.buffer === target.tensor.buffer) {
        throw new OptionError(
          `${operation}: ${name} must have a buffer of its own, got that of ${other} ("${tensor.buffer.label}"); allocate another`,
        );
      }
    }
  }
  return matrix;
}

/**
 * The mean cross-entropy of `softmax(cap(hidden · weightᵀ))` against targets, and the gradients of it in the same pass.
 *
 * The logits are made tile by tile of rows, turned into their own gradient in place, multiplied into `dhidden` and
 * `dweight`, and overwritten by the next tile, so that those of a large vocabulary are never all kept. How many targets
 * count is found on the device: a recorded program may be replayed with other targets. When all are ignored, loss and
 * gradients are 0. A target outside the vocabulary makes the loss NaN, and its gradients; see `checkTargets`.
 *
 * @param inputs.hidden `[..., D]` fp32, contiguous
 * @param inputs.weight `[V, D]` fp32, fp16 or bf16, contiguous, or a matrix
 * @param inputs.targets `[...]` i32, contiguous
 * @param inputs.scale `[1]` fp32, the incoming gradient
 * @param gradients dhidden `[..., D]` and dweight `[V, D]`, fp32, contiguous, each a buffer of its own
 * @returns loss `[1]`, count `[1]`, tokenLosses `[...]`, fp32, of the scope
 * @throws ShapeError, DtypeError or OptionError when tensors or options do not fit, before anything is queued; GradientError
 * on a tape that differentiates hidden or weight: use `crossEntropy` there.
 * @example
 * ```ts
 * const { loss } = linearCrossEntropy(scope, { hidden, weight: head, targets }, { softCap: 30 }, {
 *   dhidden: { tensor: dhidden, accumulate: false },
 *   dweight: { tensor: dhead, accumulate: true },
 * })
 * ```
 */
export function linearCrossEntropy(
  scope: Scope,
  inputs: CrossEntropyInputs,
  options: CrossEntropyOptions = {},
  gradients: CrossEntropyTargets = {},
): CrossEntropyResult {
  const { hidden, weight } = inputs;
  scope.refuseGradient('linearCrossEntropy', hidden, weight instanceof WeightMatrix ? weight.tensor : weight);
  return lossAndGradients(scope, inputs, options, gradients);
}

/** `linearCrossEntropy` for a caller that remembers the gradients on the tape itself. */
export function lossAndGradients(
  scope: Scope,
  inputs: CrossEntropyInputs,
  options: CrossEntropyOptions,
  gradients: CrossEntropyTargets,
): CrossEntropyResult {
  const { ignoreIndex, softCap, logitsBytes } = checkOptions('linearCrossEntropy', options);
  const matrix = checkTensors(inputs, gradients);
  const { hidden, targets, scale } = inputs;
  const { dhidden, dweight } = gradients;
  const { device } = scope;
  const [T, D, V] = [hidden.rows, hidden.cols, matrix.shape[0]];

  const loss = scope.tensor([1], 'fp32', 'loss');
  const count = scope.tensor([1], 'fp32', 'target count');
  const tokenLosses = scope.tensor(targets.shape, 'fp32', 'token losses');
  const mean = (result: Tensor, losses: DeviceBuffer | undefined) =>
    device.launch(targetMeanKernel, {
      buffers: { targets: targets.buffer, losses, result: result.buffer },
      params: { T, ignoreIndex },
    });
  mean(count, undefined);

  const rows = rowsPerTile(T, V, Math.min(logitsBytes, device.maxBufferBytes));
  const logits = scope.tensor([rows, V], 'fp32', 'logits tile');
  const tile = rows < T ? scope.tensor([rows, D], 'fp32', 'hidden tile') : undefined;
  const wanted = dhidden !== undefined || dweight !== undefined;
  for (let first = 0; first < T; first += rows) {
    const M = Math.min(rows, T - first);
    if (tile) device.copy(hidden.buffer, tile.buffer, first * D, 0, M * D);
    const x = tile?.buffer ?? hidden.buffer;
    launchProduct(scope, { x, matrix, bias: undefined, y: logits.buffer }, { M, accumulate: false });
    device.launch(crossEntropyKernel, {
      buffers: {
        logits: logits.buffer,
        targets: targets.buffer,
        losses: tokenLosses.buffer,
        count: wanted ? count.buffer : undefined,
        scale: wanted ? scale?.buffer : undefined,
      },
      params: { rows: M, V, first, ignoreIndex, softCap },
    });
    const a = new Tensor(logits.buffer, [M, V]);
    if (dhidden) {
      const { tensor, accumulate } = dhidden;
      const [b, y] = [matrix.tensor!.buffer, tensor.buffer];
      backwardProduct(scope, { a, transposed: false, b, C: D, y, yOffset: first * D, accumulate });
    }
    if (dweight) {
      const accumulate = dweight.accumulate || first > 0;
      const [b, y] = [hidden.buffer, dweight.tensor.buffer];
      backwardProduct(scope, { a, transposed: true, b, bOffset: first * D, C: D, y, accumulate });
    }
  }
  if (T === 0 && dweight && !dweight.accumulate) device.clear(dweight.tensor.buffer);
  scope.release(logits);
  if (tile) scope.release(tile);
  mean(loss, tokenLosses.buffer);
  return { loss, count, tokenLosses };
}
