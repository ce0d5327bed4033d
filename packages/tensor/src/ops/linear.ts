import { DtypeError, isFloatDtype, OptionError, ShapeError } from '@xlstm/device';
import type { Precision, Scope } from '../scope.ts';
import { requireContiguous, type Tensor } from '../tensor.ts';
import { requireNoGradient, WeightMatrix } from '../weight-matrix.ts';
import { launchProduct } from './launch-product.ts';
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
  /**
   * `fp32` keeps this layer's products, those of its gradients too, in float32 in a scope of mixed precision: for what must be
   * exact and is small, such as gates. The scope's by default.
   */
  precision?: Precision;
}

function requireFp32(name: string, tensor: Tensor): void {
  if (tensor.dtype !== 'fp32') {
    throw new DtypeError(`linear: ${name} must be fp32, got ${tensor.dtype}; convert it first`);
  }
}

/** The weight as a matrix. @throws ShapeError, DtypeError unless it is one for `x [..., K]` */
function matrixFor(weight: Tensor | WeightMatrix, x: Tensor): WeightMatrix {
  const K = x.cols;
  if (x.shape.length === 0 || K === 0) {
    throw new ShapeError(`linear: x must be [..., K] with K >= 1, got [${x.shape}]`);
  }
  if (weight.shape.length !== 2 || weight.shape[1] !== K) {
    throw new ShapeError(
      `linear: weight must be [N, ${K}] for x [${x.shape}], got [${weight.shape}]; weights are stored output by input`,
    );
  }
  if (weight instanceof WeightMatrix) return weight;
  requireContiguous('linear', 'weight', weight);
  if (!isFloatDtype(weight.dtype)) {
    throw new DtypeError(`linear: weight must be fp32, fp16 or bf16, got ${weight.dtype}; convert it first`);
  }
  return WeightMatrix.of(weight);
}

/**
 * Linear layer over the last dimension: `y = x · weightᵀ (+ bias)`, or `addTo += x · weightᵀ (+ bias)`.
 *
 * Up to 8 rows go through the kernel `matvec`, which reads the weights once at memory speed, more through `matmul`; a matrix in
 * parts takes a launch for each, which writes its columns of the result. Gradients go only to and through a float matrix in
 * one piece.
 *
 * @param x `[..., K]` fp32, contiguous
 * @param weight `[N, K]`: a contiguous tensor of fp32, fp16 or bf16, or a matrix, quantised or in parts
 * @param options.bias `[N]` fp32
 * @param options.addTo `[..., N]` fp32, contiguous, a buffer of its own: a residual connection without its own dispatch
 * @param options.precision `fp32` for float32 products in a scope of mixed precision
 * @returns `[..., N]` fp32; with `addTo`, go on with this instead of it
 * @throws ShapeError when shapes differ or a tensor is not contiguous, DtypeError for another dtype, OptionError when
 * `addTo` shares its buffer with an input, GradientError on a tape that differentiates x where the matrix is quantised or in
 * parts.
 * @example
 * ```ts
 * const y = linear(scope, x, projection, { bias })
 * x = linear(scope, hidden, down, { addTo: x })
 * ```
 */
export function linear(scope: Scope, x: Tensor, weight: Tensor | WeightMatrix, options: LinearOptions = {}): Tensor {
  const { bias, addTo, precision } = options;
  const matrix = matrixFor(weight, x);
  const [N] = matrix.shape;
  const shape = [...x.shape.slice(0, -1), N];
  requireContiguous('linear', 'x', x);
  requireFp32('x', x);
  if (bias) {
    requireContiguous('linear', 'bias', bias, [N]);
    requireFp32('bias', bias);
  }
  if (addTo) {
    requireContiguous('linear', 'addTo', addTo, shape);
    requireFp32('addTo', addTo);
    const inputs = Object.entries({ x: x.buffer, bias: bias?.buffer });
    for (const [name, buffer] of [...inputs, ...matrix.parts.map(({ data }) => ['weight', data] as const)]) {
      if (buffer === addTo.buffer) {
        throw new OptionError(
          `linear: addTo must have a buffer of its own, got that of ${name} ("${addTo.buffer.label}"); copy one of them first`,
        );
      }
    }
  }
  const { tensor } = matrix;
  if (!tensor) requireNoGradient('linear', matrix, scope, x, bias, addTo);
  const y = addTo ? scope.overwritable(addTo) : scope.tensor(shape, 'fp32', 'linear');
  if (x.rows === 0 || N === 0) return y;
  launchProduct(
    scope,
    { x: x.buffer, matrix, bias: bias?.buffer, y: y.buffer },
    { M: x.rows, accumulate: addTo !== undefined, precision },
  );
  if (!tensor) return y;
  // The caller's own tensor, which a tape may have been told of.
  const original = weight instanceof WeightMatrix ? tensor : weight;
  scope.record({
    name: 'linear',
    inputs: [x, original, bias, addTo],
    outputs: [y],
    saved: [x, original],
    backward: (gradients) => {
      const dy = gradients.of(y)!;
      const targets = {
        dx: gradients.target(x),
        dweight: gradients.target(original),
        dbias: gradients.target(bias),
      };
      linearBackward(gradients.scope, { x, weight: original, dy }, targets, { precision });
      gradients.passOn(y, addTo);
    },
  });
  return y;
}
