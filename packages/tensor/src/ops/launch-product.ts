import { type DeviceBuffer, isQuantizedDtype, quantizedBits } from '@xlstm/device';
import { matmulKernel } from '../kernels/matmul/index.ts';
import { MATVEC_MAX_ROWS, matvecKernel } from '../kernels/matvec/index.ts';
import type { Precision, Scope } from '../scope.ts';
import { Tensor } from '../tensor.ts';
import type { WeightMatrix } from '../weight-matrix.ts';
import { mixedProduct, multipliesMixed } from './mixed-product.ts';

/** Buffers of a product with a matrix `[N, K]`: `x [M, K]`, `bias [N]`, `y [M, N]`, all fp32. */
export interface ProductBuffers {
  x: DeviceBuffer;
  matrix: WeightMatrix;
  bias: DeviceBuffer | undefined;
  y: DeviceBuffer;
}

/** How a product is made. */
export interface ProductOptions {
  /** Rows of x. */
  M: number;
  /** Whether it is added to y. */
  accumulate: boolean;
  /** The scope's by default. */
  precision?: Precision | undefined;
}

/** Queues the product on subgroup matrices; false where the scope or the shape do not allow it. */
function launchMixed(
  scope: Scope,
  { x, matrix, bias, y }: ProductBuffers,
  { M, accumulate, precision }: ProductOptions,
): boolean {
  if (M <= MATVEC_MAX_ROWS || !multipliesMixed(scope, precision)) return false;
  // With weights of fewer bits nothing else is scaled either: that is inference, where x follows a norm.
  const scaleA = matrix.dtype === 'fp32';
  const a = new Tensor(x, [M, matrix.shape[1]]);
  return mixedProduct(scope, { a, aAlongK: true, b: matrix, bAlongK: true, bias, y, accumulate, scaleA });
}

/**
 * Queues `y (+)= x · matrixᵀ (+ bias)`: for each part of the matrix a launch that makes its columns of y. In a scope of precision
 * `mixed` they go through `matmul-mixed` where the device and the shape allow it.
 */
export function launchProduct(scope: Scope, buffers: ProductBuffers, options: ProductOptions): void {
  if (launchMixed(scope, buffers, options)) return;
  const { M, accumulate } = options;
  const { x, matrix, bias, y } = buffers;
  const { dtype, group, shape } = matrix;
  const [stride, K] = shape;
  const common = {
    M,
    K,
    accumulate: accumulate ? 1 : 0,
    stride,
    bits: isQuantizedDtype(dtype) ? quantizedBits(dtype) : 0,
    group,
  };
  for (const part of matrix.parts) {
    for (const { partRow, row, rows } of matrix.runs(part)) {
      scope.device.launch(M <= MATVEC_MAX_ROWS ? matvecKernel : matmulKernel, {
        buffers: { x, weight: part.data, bias, y, scales: part.scales },
        params: { ...common, N: rows, row: partRow, column: row },
      });
    }
  }
}
