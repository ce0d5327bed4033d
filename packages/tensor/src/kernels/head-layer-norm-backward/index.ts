import { defineKernel, type Kernel, OptionError } from '@xlstm/device';
import type { GradientTarget } from '../../gradient.ts';
import { accumulateFlag, requireContiguousGradient, requireGradient } from '../../gradient-checks.ts';
import type { Scope } from '../../scope.ts';
import { requireContiguous, requireShape, type Tensor } from '../../tensor.ts';
import { requireHeads } from '../head-layer-norm/heads.ts';
import { normWeightBackward } from '../norm-weight-backward/index.ts';
import { headLayerNormBackwardReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { headLayerNormBackwardWebGpu } from './webgpu.ts';

export const headLayerNormBackwardKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'head_layer_norm_backward',
  bindings,
  params,
  webgpu: headLayerNormBackwardWebGpu,
  reference: headLayerNormBackwardReference,
});

/** What `headLayerNormBackward` takes: the inputs and options of `headLayerNorm`, and the gradient of its result. */
export interface HeadLayerNormBackwardInputs {
  /** `[..., NH*DH]` fp32, contiguous */
  x: Tensor;
  /** `[NH*DH]` fp32 */
  weight: Tensor;
  /** `[NH*DH]` fp32 */
  bias?: Tensor | undefined;
  /** `[..., NH*DH]` fp32, may be columns of a wider tensor */
  gate?: Tensor | undefined;
  /** `[..., NH*DH]` fp32, contiguous */
  dy: Tensor;
  /** NH */
  heads: number;
  /** As in the forward, 1e-6 by default. */
  eps?: number | undefined;
  /** As in the forward, 0 by default. */
  weightOffset?: number | undefined;
}

/** Where `headLayerNormBackward` puts what is wanted; all contiguous but dgate. */
export interface HeadLayerNormBackwardTargets {
  /** `[..., NH*DH]` */
  dx?: GradientTarget | undefined;
  /** `[NH*DH]` */
  dweight?: GradientTarget | undefined;
  /** `[NH*DH]` */
  dbias?: GradientTarget | undefined;
  /** `[..., NH*DH]`, may be columns of a wider gradient */
  dgate?: GradientTarget | undefined;
}

/**
 * Gradients of `headLayerNorm`; the equations are in the kernel's README.
 *
 * @param inputs x, gate and dy `[..., NH*DH]`, weight and bias `[NH*DH]`, all fp32
 * @param targets any of dx, dgate `[..., NH*DH]`, dweight, dbias `[NH*DH]`, each in a buffer of its own; sums over rows are
 * the same bits each time
 * @throws ShapeError when shapes differ or heads do not divide; OptionError for a gradient of a gate that is not there,
 * DtypeError for a gradient that is not fp32.
 * @example
 * ```ts
 * headLayerNormBackward(scope, { x: h, weight, gate, dy, heads: 8 }, { dx, dgate, dweight })
 * ```
 */
export function headLayerNormBackward(
  scope: Scope,
  inputs: HeadLayerNormBackwardInputs,
  targets: HeadLayerNormBackwardTargets,
): void {
  const name = 'headLayerNormBackward';
  const { x, weight, bias, gate, dy, heads, eps = 1e-6, weightOffset = 0 } = inputs;
  const { dx, dweight, dbias, dgate } = targets;
  requireHeads(name, x, heads);
  requireContiguous(name, 'x', x);
  requireContiguous(name, 'weight', weight, [x.cols]);
  if (bias) requireContiguous(name, 'bias', bias, [x.cols]);
  if (gate) requireShape(name, 'gate', gate, x.shape);
  requireContiguous(name, 'dy', dy, x.shape);
  requireContiguousGradient(name, 'dx', dx, x.shape);
  requireContiguousGradient(name, 'dweight', dweight, [x.cols]);
  requireContiguousGradient(name, 'dbias', dbias, [x.cols]);
  requireGradient(name, 'dgate', dgate, x.shape);
  if (dgate && !gate) throw new OptionError(`${name}: dgate was asked for without a gate; pass the forward's gate`);
  const stats = dweight || dbias ? scope.tensor([x.rows * heads, 2], 'fp32', 'norm_stats') : undefined;
  if (!dx && !dgate && !stats) return;
  scope.device.launch(headLayerNormBackwardKernel, {
    buffers: {
      x: x.buffer,
      weight: weight.buffer,
      bias: bias?.buffer,
      gate: gate?.buffer,
      dy: dy.buffer,
      dx: dx?.tensor.buffer,
      dgate: dgate?.tensor.buffer,
      stats: stats?.buffer,
    },
    params: {
      rows: x.rows,
      NH: heads,
      DH: x.cols / heads,
      eps,
      weightOffset,
      gateOffset: gate?.offset ?? 0,
      gateStride: gate?.rowStride ?? 0,
      dgateOffset: dgate?.tensor.offset ?? 0,
      dgateStride: dgate?.tensor.rowStride ?? 0,
      accumulateX: accumulateFlag(dx),
      accumulateGate: accumulateFlag(dgate),
    },
  });
  if (!stats) return;
  normWeightBackward(scope, { x, gate, dy, stats, heads }, { dweight, dbias });
  scope.release(stats);
}
