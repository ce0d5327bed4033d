import { DtypeError, defineKernel, type Kernel, OptionError, ShapeError } from '@xlstm/device';
import type { GradientTarget } from '../../gradient.ts';
import type { Scope } from '../../scope.ts';
import { requireContiguous, type Tensor } from '../../tensor.ts';
import { embeddingBackwardReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { embeddingBackwardWebGpu } from './webgpu.ts';

export const embeddingBackwardKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'embedding_backward',
  bindings,
  params,
  webgpu: embeddingBackwardWebGpu,
  reference: embeddingBackwardReference,
});

/**
 * The gradient of an embedding table: `dweight[v, :] (+)= Σ_{t: ids[t] = v} dy[t, :]`, in the order of the tokens.
 *
 * @param inputs.ids `[...]` i32, contiguous; ids outside `0…V−1`, whose embedding is NaN, are left out
 * @param inputs.dy `[..., D]` fp32, contiguous
 * @param target dweight `[V, D]` fp32, contiguous, a buffer of its own
 * @throws ShapeError when shapes differ or a tensor is a view; DtypeError for other dtypes; OptionError when dweight
 * shares dy's buffer.
 * @example
 * ```ts
 * embeddingBackward(scope, { ids, dy }, { dweight: { tensor: dtable, accumulate: true } })
 * ```
 */
export function embeddingBackward(
  scope: Scope,
  { ids, dy }: { ids: Tensor; dy: Tensor },
  { dweight }: { dweight: GradientTarget },
): void {
  const { tensor, accumulate } = dweight;
  const [V, D] = tensor.shape;
  if (tensor.shape.length !== 2 || V === undefined || D === undefined) {
    throw new ShapeError(`embeddingBackward: dweight must be [V, D], got [${tensor.shape}]; reshape it`);
  }
  requireContiguous('embeddingBackward', 'ids', ids);
  requireContiguous('embeddingBackward', 'dy', dy, [...ids.shape, D]);
  requireContiguous('embeddingBackward', 'dweight', tensor);
  if (ids.dtype !== 'i32') {
    throw new DtypeError(`embeddingBackward: ids must be i32, got ${ids.dtype}; upload an Int32Array`);
  }
  for (const [name, given] of Object.entries({ dy, dweight: tensor })) {
    if (given.dtype !== 'fp32') {
      throw new DtypeError(`embeddingBackward: ${name} must be fp32, got ${given.dtype}; convert it first`);
    }
  }
  if (tensor.buffer === dy.buffer) {
    throw new OptionError('embeddingBackward: dweight must have a buffer of its own, got that of dy; allocate another');
  }
  if (V === 0 || D === 0) return;
  scope.device.launch(embeddingBackwardKernel, {
    buffers: { ids: ids.buffer, dy: dy.buffer, dweight: tensor.buffer },
    params: { T: dy.rows, V, D, accumulate: accumulate ? 1 : 0 },
  });
}
