import { type Device, type DeviceBuffer, isQuantizedDtype, quantizedBits } from '@xlstm/device';
import { matmulKernel } from '../kernels/matmul/index.ts';
import { MATVEC_MAX_ROWS, matvecKernel } from '../kernels/matvec/index.ts';
import type { WeightMatrix } from '../weight-matrix.ts';

/** Buffers of a product with a matrix `[N, K]`: `x [M, K]`, `bias [N]`, `y [M, N]`, all fp32. */
export interface ProductBuffers {
  x: DeviceBuffer;
  matrix: WeightMatrix;
  bias: DeviceBuffer | undefined;
  y: DeviceBuffer;
}

/** Queues `y (+)= x · matrixᵀ (+ bias)`: for each part of the matrix a launch that makes its columns of y. */
export function launchProduct(
  device: Device,
  { x, matrix, bias, y }: ProductBuffers,
  { M, accumulate }: { M: number; accumulate: boolean },
): void {
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
      device.launch(M <= MATVEC_MAX_ROWS ? matvecKernel : matmulKernel, {
        buffers: { x, weight: part.data, bias, y, scales: part.scales },
        params: { ...common, N: rows, row: partRow, column: row },
      });
    }
  }
}
