import { defineKernel, isQuantizedDtype, type Kernel, quantizedBits, ShapeError } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import { requireContiguous, Tensor } from '../../tensor.ts';
import { WeightMatrix } from '../../weight-matrix.ts';
import { embeddingBackward } from '../embedding-backward/index.ts';
import { embeddingReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { embeddingWebGpu } from './webgpu.ts';

export const embeddingKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'embedding',
  bindings,
  params,
  webgpu: embeddingWebGpu,
  reference: embeddingReference,
});

/**
 * Rows of an embedding table: `y[..., :] = weight[ids[...], :]`.
 *
 * Ids are on the device, so they are not checked here: check them on the host first. One outside `0…V−1` gives a row of
 * NaN, and reads nothing outside the table. A table in parts takes a launch for each, which writes the rows of its ids.
 *
 * @param ids `[...]` i32, contiguous
 * @param weight `[V, D]`: a contiguous tensor of fp32, fp16 or bf16, or a matrix, quantised or in parts
 * @returns `[..., D]` fp32
 * @throws ShapeError when `weight` is no matrix or either is a view; DtypeError for other dtypes.
 * @example
 * ```ts
 * const x = embedding(scope, ids, table)
 * ```
 */
export function embedding(scope: Scope, ids: Tensor, weight: Tensor | WeightMatrix): Tensor {
  requireContiguous('embedding', 'ids', ids);
  if (weight.shape.length !== 2) {
    throw new ShapeError(`embedding: weight must be [V, D], got [${weight.shape}]; reshape it`);
  }
  if (weight instanceof Tensor) requireContiguous('embedding', 'weight', weight);
  const matrix = weight instanceof WeightMatrix ? weight : WeightMatrix.of(weight);
  const [total, D] = matrix.shape;
  const { dtype, group, tensor } = matrix;
  if (matrix.sections > 1 && matrix.parts.length > 1) {
    throw new ShapeError('embedding: the rows of a table must follow each other, got one in sections');
  }
  const y = scope.tensor([...ids.shape, D], 'fp32', 'embedding');
  const bits = isQuantizedDtype(dtype) ? quantizedBits(dtype) : 0;
  for (const { firstRow, rows: V, data, scales } of matrix.parts) {
    scope.device.launch(embeddingKernel, {
      buffers: { ids: ids.buffer, weight: data, y: y.buffer, scales },
      params: { rows: y.rows, V, D, firstRow, total, bits, group },
    });
  }
  if (!tensor) return y;
  const original = weight instanceof WeightMatrix ? tensor : weight;
  scope.record({
    name: 'embedding',
    inputs: [original],
    outputs: [y],
    saved: [ids],
    backward: (gradients) => {
      const dweight = gradients.target(original);
      if (dweight) embeddingBackward(gradients.scope, { ids, dy: gradients.of(y)! }, { dweight });
    },
  });
  return y;
}
