import { DtypeError, isFloatDtype, OptionError, ShapeError } from '@xlstm/device';
import { matmulKernel } from '../kernels/matmul/index.ts';
import { MATVEC_MAX_ROWS, matvecKernel } from '../kernels/matvec/index.ts';
import type { Scope } from '../scope.ts';
import { requireContiguous, type Tensor } from '../tensor.ts';
import { type WeightMatrix, wholeTensor } from '../weight-matrix.ts';
import { linearBackward } from './linear-backward.ts';

/** Options of `linear`. */
export interface LinearOptions {
  /** `[N]` fp32. */
  bias?: Tensor;
  /**
   * `[..., N]` fp32, contiguous: the result is this plus the product, written over it and returned. A tape that still needs
   * it returns a new tensor and releases this one: go on with what is returned.
   */
  addTo?: Tensor;
}

function requireFp32(name: string, tensor: Tensor): void {
  if (tensor.dtype !== 'fp32') {
    throw new DtypeError(`linear: ${name} must be fp32, got ${tensor.dtype}; convert it first`);
  }
}

/**
 * Linear layer over the last dimension: `y = x · weightᵀ (+ bias)`, or `addTo += x · weightᵀ (+ bias)`.
 *
 * Up to 8 rows go through the kernel `matvec`, which reads the weights once at memory speed, more through `matmul`.
 *
 * @param x `[..., K]` fp32, contiguous
 * @param weight `[N, K]` fp32, fp16 or bf16, contiguous
 * @param options.bias `[N]` fp32
 * @param options.addTo `[..., N]` fp32, contiguous, a buffer of its own: a residual connection without its own dispatch
 * @returns `[..., N]` fp32; with `addTo`, go on with this instead of it
 * @throws ShapeError when shapes differ or a tensor is not contiguous, DtypeError for another dtype, OptionError when
 * `addTo` shares its buffer with an input.
 * @example
 * ```ts
 * const y = linear(scope, x, projection, { bias })
 * x = linear(scope, hidden, down, { addTo: x })
 * ```
 */
export function linear(
  scope: Scope,
  x: Tensor,
  weightOrMatrix: Tensor | WeightMatrix,
  options: LinearOptions = {},
): Tensor {
  const weight = wholeTensor('linear', weightOrMatrix);
  const { bias, addTo } = options;
  const K = x.cols;
  if (x.shape.length === 0 || K === 0) {
    throw new ShapeError(`linear: x must be [..., K] with K >= 1, got [${x.shape}]`);
  }
  if (weight.shape.length !== 2 || weight.cols !== K) {
    throw new ShapeError(
      `linear: weight must be [N, ${K}] for x [${x.shape}], got [${weight.shape}]; weights are stored output by input`,
    );
  }
  const N = weight.rows;
  const shape = [...x.shape.slice(0, -1), N];
  requireContiguous('linear', 'x', x);
  requireContiguous('linear', 'weight', weight);
  requireFp32('x', x);
  if (!isFloatDtype(weight.dtype)) {
    throw new DtypeError(`linear: weight must be fp32, fp16 or bf16, got ${weight.dtype}; convert it first`);
  }
  if (bias) {
    requireContiguous('linear', 'bias', bias, [N]);
    requireFp32('bias', bias);
  }
  if (addTo) {
    requireContiguous('linear', 'addTo', addTo, shape);
    requireFp32('addTo', addTo);
    for (const [name, input] of Object.entries({ x, weight, bias })) {
      if (input?.buffer === addTo.buffer) {
        throw new OptionError(
          `linear: addTo must have a buffer of its own, got that of ${name} ("${addTo.buffer.label}"); copy one of them first`,
        );
      }
    }
  }
  const y = addTo ? scope.overwritable(addTo) : scope.tensor(shape, 'fp32', 'linear');
  if (x.rows === 0 || N === 0) return y;
  scope.device.launch(x.rows <= MATVEC_MAX_ROWS ? matvecKernel : matmulKernel, {
    buffers: { x: x.buffer, weight: weight.buffer, bias: bias?.buffer, y: y.buffer },
    params: { M: x.rows, N, K, accumulate: addTo ? 1 : 0 },
  });
  scope.record({
    name: 'linear',
    inputs: [x, weight, bias, addTo],
    outputs: [y],
    saved: [x, weight],
    backward: (gradients) => {
      const dy = gradients.of(y)!;
      const targets = {
        dx: gradients.target(x),
        dweight: gradients.target(weight),
        dbias: gradients.target(bias),
      };
      linearBackward(gradients.scope, { x, weight, dy }, targets);
      gradients.passOn(y, addTo);
    },
  });
  return y;
}
