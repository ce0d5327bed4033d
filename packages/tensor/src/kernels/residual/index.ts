import { defineKernel, type Kernel, OptionError } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import { elementCount, requireContiguous, type Tensor } from '../../tensor.ts';
import { residualReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { residualWebGpu } from './webgpu.ts';

export const residualKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'residual',
  bindings,
  params,
  webgpu: residualWebGpu,
  reference: residualReference,
});

/**
 * The residual sum `x + y`.
 *
 * @param x `[...]` fp32, contiguous
 * @param y the same shape, fp32, contiguous
 * @returns the same shape, fp32
 * @throws ShapeError when the shapes differ or either is a view.
 * @example
 * ```ts
 * x = residual(scope, x, feedForward(rmsNorm(scope, x, weight)))
 * ```
 */
export function residual(scope: Scope, x: Tensor, y: Tensor): Tensor {
  requireContiguous('residual', 'x', x);
  requireContiguous('residual', 'y', y, x.shape);
  const result = scope.tensor(x.shape, 'fp32', 'residual');
  scope.device.launch(residualKernel, {
    buffers: { x: x.buffer, y: y.buffer, result: result.buffer },
    params: { count: elementCount(x.shape) },
  });
  scope.record({
    name: 'residual',
    inputs: [x, y],
    outputs: [result],
    saved: [],
    backward: (gradients) => {
      gradients.share(result, y);
      gradients.passOn(result, x);
    },
  });
  return result;
}

/**
 * `target ← target + y`, in the buffer of target.
 *
 * @param target `[...]` fp32, contiguous
 * @param y the same shape, fp32, contiguous, in another buffer
 * @returns target
 * @throws ShapeError when the shapes differ or either is a view; OptionError when both are one buffer; GradientError on a
 * tape that differentiates either: use `residual` there.
 * @example
 * ```ts
 * addInPlace(scope, x, y)
 * ```
 */
export function addInPlace(scope: Scope, target: Tensor, y: Tensor): Tensor {
  requireContiguous('addInPlace', 'target', target);
  requireContiguous('addInPlace', 'y', y, target.shape);
  if (target.buffer === y.buffer) {
    throw new OptionError(`addInPlace: y is the buffer of target ("${y.buffer.label}"); use residual(scope, x, x)`);
  }
  scope.refuseGradient('addInPlace', target, y);
  scope.device.launch(residualKernel, {
    buffers: { x: undefined, y: y.buffer, result: target.buffer },
    params: { count: elementCount(target.shape) },
  });
  return target;
}
