import { defineKernel, type Kernel, ShapeError } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import { requireContiguous, type Tensor } from '../../tensor.ts';
import { type WeightMatrix, wholeTensor } from '../../weight-matrix.ts';
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
 * NaN, and reads nothing outside the table.
 *
 * @param ids `[...]` i32, contiguous
 * @param weight `[V, D]` fp32, fp16 or bf16
 * @returns `[..., D]` fp32
 * @throws ShapeError when `weight` is no matrix or either is a view; DtypeError for other dtypes.
 * @example
 * ```ts
 * const x = embedding(scope, ids, table)
 * ```
 */
export function embedding(scope: Scope, ids: Tensor, weightOrMatrix: Tensor | WeightMatrix): Tensor {
  const weight = wholeTensor('embedding', weightOrMatrix);
  requireContiguous('embedding', 'ids', ids);
  requireContiguous('embedding', 'weight', weight);
  const [V, D] = weight.shape;
  if (weight.shape.length !== 2 || V === undefined || D === undefined) {
    throw new ShapeError(`embedding: weight must be [V, D], got [${weight.shape}]; reshape it`);
  }
  const y = scope.tensor([...ids.shape, D], 'fp32', 'embedding');
  scope.device.launch(embeddingKernel, {
    buffers: { ids: ids.buffer, weight: weight.buffer, y: y.buffer },
    params: { rows: y.rows, V, D },
  });
  scope.record({
    name: 'embedding',
    inputs: [weight],
    outputs: [y],
    saved: [ids],
    backward: (gradients) => {
      const dweight = gradients.target(weight);
      if (dweight) embeddingBackward(gradients.scope, { ids, dy: gradients.of(y)! }, { dweight });
    },
  });
  return y;
}
