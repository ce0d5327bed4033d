import { defineKernel, type Kernel } from '@xlstm/device';
import type { GradientTarget } from '../../gradient.ts';
import { accumulateFlag, requireGradient } from '../../gradient-checks.ts';
import type { Scope } from '../../scope.ts';
import { requireContiguous, type Tensor } from '../../tensor.ts';
import { ACTIVATION_CODES, type ActivationName } from '../activation/functions.ts';
import { activationBackwardReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { activationBackwardWebGpu } from './webgpu.ts';

export const activationBackwardKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'activation_backward',
  bindings,
  params,
  webgpu: activationBackwardWebGpu,
  reference: activationBackwardReference,
});

/** What the backward of an activation function takes: its input and the gradient of its result. */
export interface ActivationBackwardInputs {
  /** `[..., D]` fp32, may be columns of a wider tensor */
  x: Tensor;
  /** `[..., D]` fp32, contiguous */
  dy: Tensor;
}

/** Where the backward of an activation function puts the gradient. */
export interface ActivationBackwardTargets {
  /** `[..., D]`, may be columns of a wider gradient */
  dx?: GradientTarget | undefined;
}

function backward(
  scope: Scope,
  { x, dy }: ActivationBackwardInputs,
  { dx }: ActivationBackwardTargets,
  name: ActivationName,
): void {
  const operation = `${name}Backward`;
  requireContiguous(operation, 'dy', dy, x.shape);
  requireGradient(operation, 'dx', dx, x.shape);
  if (!dx) return;
  scope.device.launch(activationBackwardKernel, {
    buffers: { x: x.buffer, dy: dy.buffer, dx: dx.tensor.buffer },
    params: {
      rows: x.rows,
      D: x.cols,
      xOffset: x.offset,
      xStride: x.rowStride,
      dxOffset: dx.tensor.offset,
      dxStride: dx.tensor.rowStride,
      accumulate: accumulateFlag(dx),
      activation: ACTIVATION_CODES[name],
    },
  });
}

/**
 * Gradient of `silu`: `dx = dy · s · (1 + x · (1 − s))` with `s = sigmoid(x)`.
 *
 * @param inputs x and dy `[..., D]` fp32
 * @param targets dx `[..., D]`
 * @throws ShapeError when shapes differ; DtypeError for a gradient that is not fp32.
 * @example
 * ```ts
 * siluBackward(scope, { x, dy }, { dx: { tensor: dx, accumulate: false } })
 * ```
 */
export function siluBackward(scope: Scope, inputs: ActivationBackwardInputs, targets: ActivationBackwardTargets): void {
  backward(scope, inputs, targets, 'silu');
}

/**
 * Gradient of `gelu`: `dx = dy · (Φ(x) + x · φ(x))` with the normal distribution Φ and its density φ.
 *
 * @param inputs x and dy `[..., D]` fp32
 * @param targets dx `[..., D]`
 * @throws ShapeError when shapes differ; DtypeError for a gradient that is not fp32.
 * @example
 * ```ts
 * geluBackward(scope, { x, dy }, { dx: { tensor: dx, accumulate: false } })
 * ```
 */
export function geluBackward(scope: Scope, inputs: ActivationBackwardInputs, targets: ActivationBackwardTargets): void {
  backward(scope, inputs, targets, 'gelu');
}
