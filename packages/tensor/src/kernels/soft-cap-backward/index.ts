import { defineKernel, type Kernel, OptionError } from '@xlstm/device';
import type { GradientTarget } from '../../gradient.ts';
import { accumulateFlag, requireGradient } from '../../gradient-checks.ts';
import type { Scope } from '../../scope.ts';
import { requireContiguous, type Tensor } from '../../tensor.ts';
import { softCapBackwardReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { softCapBackwardWebGpu } from './webgpu.ts';

export const softCapBackwardKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'soft_cap_backward',
  bindings,
  params,
  webgpu: softCapBackwardWebGpu,
  reference: softCapBackwardReference,
});

/** What `softCapBackward` takes: the result of `softCap`, its gradient, and the cap. */
export interface SoftCapBackwardInputs {
  /** `[..., D]` fp32, contiguous */
  y: Tensor;
  /** `[..., D]` fp32, contiguous */
  dy: Tensor;
  cap: number;
}

/** Where `softCapBackward` puts the gradient. */
export interface SoftCapBackwardTargets {
  /** `[..., D]`, may be columns of a wider gradient, or dy itself */
  dx?: GradientTarget | undefined;
}

/**
 * Gradient of `softCap`, from its result: `dx = dy · (1 − (y / cap)²)`.
 *
 * @param inputs y and dy `[..., D]` fp32
 * @param targets dx `[..., D]`; dy itself to compute in place
 * @throws ShapeError when shapes differ; OptionError when cap is not positive and finite, or dx is added to dy itself;
 * DtypeError for a gradient that is not fp32.
 * @example
 * ```ts
 * softCapBackward(scope, { y, dy, cap: 30 }, { dx: { tensor: dy, accumulate: false } })
 * ```
 */
export function softCapBackward(
  scope: Scope,
  { y, dy, cap }: SoftCapBackwardInputs,
  { dx }: SoftCapBackwardTargets,
): void {
  if (!(cap > 0 && Number.isFinite(cap))) {
    throw new OptionError(`softCapBackward: cap must be a positive finite number, got ${cap}; pass the forward's`);
  }
  requireContiguous('softCapBackward', 'y', y);
  requireContiguous('softCapBackward', 'dy', dy, y.shape);
  requireGradient('softCapBackward', 'dx', dx, y.shape);
  if (!dx) return;
  const inPlace = dx.tensor.buffer === dy.buffer;
  if (inPlace && (dx.accumulate || !dx.tensor.contiguous)) {
    throw new OptionError(
      `softCapBackward: dx is in the buffer of dy ("${dy.buffer.label}") and must replace it whole; pass another buffer`,
    );
  }
  scope.device.launch(softCapBackwardKernel, {
    buffers: { y: y.buffer, dy: inPlace ? undefined : dy.buffer, dx: dx.tensor.buffer },
    params: {
      rows: y.rows,
      D: y.cols,
      cap,
      dxOffset: dx.tensor.offset,
      dxStride: dx.tensor.rowStride,
      accumulate: accumulateFlag(dx),
    },
  });
}
