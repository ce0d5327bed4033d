import { defineKernel, type Kernel } from '@xlstm/device';
import type { GradientTarget } from '../../gradient.ts';
import type { Scope } from '../../scope.ts';
import { elementCount, requireContiguous, type Tensor } from '../../tensor.ts';
import { addScaledReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { addScaledWebGpu } from './webgpu.ts';

export const addScaledKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'add_scaled',
  bindings,
  params,
  webgpu: addScaledWebGpu,
  reference: addScaledReference,
});

/**
 * `target (+)= scale · x`, with a scale that the device made: what a gradient made in advance becomes once the loss's own
 * gradient is known.
 *
 * @param x `[...]` fp32, contiguous
 * @param scale `[1]` fp32
 * @param target the same shape as x, contiguous, in another buffer
 * @throws ShapeError when shapes differ or a tensor is a view.
 * @example
 * ```ts
 * addScaled(scope, dhidden, dloss, { tensor: gradient, accumulate: true })
 * ```
 */
export function addScaled(scope: Scope, x: Tensor, scale: Tensor, target: GradientTarget): void {
  requireContiguous('addScaled', 'x', x);
  requireContiguous('addScaled', 'scale', scale, [1]);
  requireContiguous('addScaled', 'target', target.tensor, x.shape);
  scope.refuseGradient('addScaled', x, scale, target.tensor);
  scope.device.launch(addScaledKernel, {
    buffers: { x: x.buffer, scale: scale.buffer, y: target.tensor.buffer },
    params: { count: elementCount(x.shape), accumulate: target.accumulate ? 1 : 0 },
  });
}
