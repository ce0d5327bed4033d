import { defineKernel, type Kernel } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import { requireContiguous, type Tensor } from '../../tensor.ts';
import { rmsNormBackward } from '../rms-norm-backward/index.ts';
import { rmsNormReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { rmsNormWebGpu } from './webgpu.ts';

export const rmsNormKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'rms_norm',
  bindings,
  params,
  webgpu: rmsNormWebGpu,
  reference: rmsNormReference,
});

/**
 * Root-mean-square norm over the last dimension: `y = x / sqrt(mean(x²) + eps) · weight (+ bias)`.
 *
 * @param x `[..., D]` fp32, contiguous
 * @param weight `[D]` fp32
 * @param options.bias `[D]` fp32
 * @param options.eps added to the mean square, 1e-6 in xLSTM Large
 * @returns `[..., D]` fp32
 * @throws ShapeError when D differs. Source: xLSTM 7B (2503.13427), section 3.
 * @example
 * ```ts
 * const y = rmsNorm(scope, x, weight, { eps: 1e-6 })
 * ```
 */
export function rmsNorm(
  scope: Scope,
  x: Tensor,
  weight: Tensor,
  options: { eps?: number; bias?: Tensor } = {},
): Tensor {
  requireContiguous('rmsNorm', 'x', x);
  requireContiguous('rmsNorm', 'weight', weight, [x.cols]);
  if (options.bias) requireContiguous('rmsNorm', 'bias', options.bias, [x.cols]);
  const { bias, eps = 1e-6 } = options;
  const y = scope.tensor(x.shape, 'fp32', 'rms_norm');
  scope.device.launch(rmsNormKernel, {
    buffers: { x: x.buffer, weight: weight.buffer, bias: bias?.buffer, y: y.buffer },
    params: { rows: x.rows, D: x.cols, eps },
  });
  scope.record({
    name: 'rmsNorm',
    inputs: [x, weight, bias],
    outputs: [y],
    saved: [x, weight],
    backward: (gradients) => {
      const dy = gradients.of(y)!;
      const targets = {
        dx: gradients.target(x),
        dweight: gradients.target(weight),
        dbias: gradients.target(bias),
      };
      rmsNormBackward(gradients.scope, { x, weight, dy, eps }, targets);
    },
  });
  return y;
}
