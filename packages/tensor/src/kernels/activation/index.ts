import { defineKernel, type Kernel } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import type { Tensor } from '../../tensor.ts';
import { geluBackward, siluBackward } from '../activation-backward/index.ts';
import { ACTIVATION_CODES, type ActivationName } from './functions.ts';
import { activationReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { activationWebGpu } from './webgpu.ts';

export const activationKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'activation',
  bindings,
  params,
  webgpu: activationWebGpu,
  reference: activationReference,
});

function activation(scope: Scope, x: Tensor, name: ActivationName): Tensor {
  const y = scope.tensor(x.shape, 'fp32', name);
  scope.device.launch(activationKernel, {
    buffers: { x: x.buffer, y: y.buffer },
    params: {
      rows: x.rows,
      D: x.cols,
      xOffset: x.offset,
      xStride: x.rowStride,
      activation: ACTIVATION_CODES[name],
    },
  });
  scope.record({
    name,
    inputs: [x],
    outputs: [y],
    saved: [x],
    backward: (gradients) => {
      const backward = name === 'silu' ? siluBackward : geluBackward;
      backward(gradients.scope, { x, dy: gradients.of(y)! }, { dx: gradients.target(x) });
    },
  });
  return y;
}

/**
 * The sigmoid linear unit, `y = x · sigmoid(x)`.
 *
 * @param x `[..., D]` fp32, may be columns of a wider tensor
 * @returns `[..., D]` fp32, contiguous
 * @throws DtypeError when x is not fp32.
 * @example
 * ```ts
 * const y = silu(scope, causalConv(scope, { x, weight, bias }))
 * ```
 */
export function silu(scope: Scope, x: Tensor): Tensor {
  return activation(scope, x, 'silu');
}

/**
 * The exact Gaussian error linear unit, `y = x · Φ(x) = x · (1 + erf(x / √2)) / 2`, to float32 rounding also in the tail.
 *
 * @param x `[..., D]` fp32, may be columns of a wider tensor
 * @returns `[..., D]` fp32, contiguous
 * @throws DtypeError when x is not fp32. Source: Hendrycks and Gimpel (1606.08415).
 * @example
 * ```ts
 * const y = gelu(scope, linear(scope, x, up))
 * ```
 */
export function gelu(scope: Scope, x: Tensor): Tensor {
  return activation(scope, x, 'gelu');
}
