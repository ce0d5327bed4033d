import { defineKernel, type Kernel } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import { elementCount, requireContiguous, type Tensor } from '../../tensor.ts';
import { exampleScaleReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { exampleScaleWebGpu } from './webgpu.ts';

export const exampleScaleKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'example_scale',
  bindings,
  params,
  webgpu: exampleScaleWebGpu,
  reference: exampleScaleReference,
});

/**
 * Scales every element: `y = a · x`.
 *
 * @param x `[...]` fp32, contiguous
 * @param a the factor
 * @returns the same shape, fp32
 * @throws ShapeError when x is a view that is not contiguous.
 * @example
 * ```ts
 * const y = exampleScale(scope, x, 0.5)
 * ```
 */
export function exampleScale(scope: Scope, x: Tensor, a: number): Tensor {
  requireContiguous('exampleScale', 'x', x);
  const y = scope.tensor(x.shape, 'fp32', 'example_scale');
  scope.device.launch(exampleScaleKernel, {
    buffers: { x: x.buffer, y: y.buffer },
    params: { n: elementCount(x.shape), a },
  });
  return y;
}
