import { defineKernel, type Kernel } from '@xlstm/device';
import type { GradientTarget } from '../../gradient.ts';
import { accumulateFlag, requireContiguousGradient } from '../../gradient-checks.ts';
import type { Scope } from '../../scope.ts';
import { requireContiguous, type Tensor } from '../../tensor.ts';
import { normWeightBackward } from '../norm-weight-backward/index.ts';
import { rmsNormBackwardReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { rmsNormBackwardWebGpu } from './webgpu.ts';

export const rmsNormBackwardKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'rms_norm_backward',
  bindings,
  params,
  webgpu: rmsNormBackwardWebGpu,
  reference: rmsNormBackwardReference,
});

/** What `rmsNormBackward` takes: the inputs of `rmsNorm` and the gradient of its result. */
export interface RmsNormBackwardInputs {
  /** `[..., D]` fp32, contiguous */
  x: Tensor;
  /** `[D]` fp32 */
  weight: Tensor;
  /** `[..., D]` fp32, contiguous */
  dy: Tensor;
  /** As in the forward, 1e-6 by default. */
  eps?: number | undefined;
}

/** Where `rmsNormBackward` puts what is wanted; all contiguous. */
export interface RmsNormBackwardTargets {
  /** `[..., D]` */
  dx?: GradientTarget | undefined;
  /** `[D]` */
  dweight?: GradientTarget | undefined;
  /** `[D]` */
  dbias?: GradientTarget | undefined;
}

/**
 * Gradients of `rmsNorm`: with `n = x / sqrt(mean(x²) + eps)` and `g = dy · weight`,
 * `dx = (g − n · mean(g · n)) / sqrt(mean(x²) + eps)`, `dweight = Σ_rows dy · n`, `dbias = Σ_rows dy`.
 *
 * @param inputs x and dy `[..., D]` fp32, weight `[D]` fp32
 * @param targets any of dx `[..., D]`, dweight and dbias `[D]`; sums over rows are the same bits each time
 * @throws ShapeError when shapes differ or a tensor is a view; DtypeError for a gradient that is not fp32.
 * @example
 * ```ts
 * rmsNormBackward(scope, { x, weight, dy }, { dx: { tensor: dx, accumulate: true } })
 * ```
 */
export function rmsNormBackward(scope: Scope, inputs: RmsNormBackwardInputs, targets: RmsNormBackwardTargets): void {
  const { x, weight, dy, eps = 1e-6 } = inputs;
  const { dx, dweight, dbias } = targets;
  requireContiguous('rmsNormBackward', 'x', x);
  requireContiguous('rmsNormBackward', 'weight', weight, [x.cols]);
  requireContiguous('rmsNormBackward', 'dy', dy, x.shape);
  requireContiguousGradient('rmsNormBackward', 'dx', dx, x.shape);
  requireContiguousGradient('rmsNormBackward', 'dweight', dweight, [x.cols]);
  requireContiguousGradient('rmsNormBackward', 'dbias', dbias, [x.cols]);
  const stats = dweight || dbias ? scope.tensor([x.rows, 2], 'fp32', 'norm_stats') : undefined;
  if (!dx && !stats) return;
  scope.device.launch(rmsNormBackwardKernel, {
    buffers: { x: x.buffer, weight: weight.buffer, dy: dy.buffer, dx: dx?.tensor.buffer, stats: stats?.buffer },
    params: { rows: x.rows, D: x.cols, eps, accumulate: accumulateFlag(dx) },
  });
  if (!stats) return;
  normWeightBackward(scope, { x, dy, stats, heads: 1 }, { dweight, dbias });
  scope.release(stats);
}
