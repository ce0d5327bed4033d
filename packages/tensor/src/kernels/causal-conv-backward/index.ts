import { defineKernel, type Kernel } from '@xlstm/device';
import type { GradientTarget } from '../../gradient.ts';
import { accumulateFlag, requireContiguousGradient, requireGradient } from '../../gradient-checks.ts';
import { rowChunks } from '../../row-chunks.ts';
import type { Scope } from '../../scope.ts';
import { requireContiguous, type Tensor } from '../../tensor.ts';
import { type ConvShape, requireConvShapes } from '../causal-conv/shapes.ts';
import { causalConvWeightBackwardKernel } from '../causal-conv-weight-backward/index.ts';
import { sumPartials } from '../sum-partials/index.ts';
import { causalConvBackwardReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { causalConvBackwardWebGpu } from './webgpu.ts';

export const causalConvBackwardKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'causal_conv_backward',
  bindings,
  params,
  webgpu: causalConvBackwardWebGpu,
  reference: causalConvBackwardReference,
});

/** What `causalConvBackward` takes: the inputs of `causalConv` and the gradients of its results. */
export interface CausalConvBackwardInputs {
  /** `[B, S, D]` fp32, may be columns of a wider tensor */
  x: Tensor;
  /** `[D, 1, K]` fp32 */
  weight: Tensor;
  /** `[B, K-1, D]` fp32: the state that the forward started from */
  state?: Tensor | undefined;
  /** `[B, S, D]` fp32, contiguous */
  dy: Tensor;
  /** `[B, K-1, D]` fp32: the gradient of the state that the forward left */
  dnextState?: Tensor | undefined;
}

/** Where `causalConvBackward` puts what is wanted, each in a buffer of its own; all contiguous but dx. */
export interface CausalConvBackwardTargets {
  /** `[B, S, D]`, may be columns of a wider gradient */
  dx?: GradientTarget | undefined;
  /** `[D, 1, K]` */
  dweight?: GradientTarget | undefined;
  /** `[D]` */
  dbias?: GradientTarget | undefined;
  /** `[B, K-1, D]`: the gradient of the state that the forward started from */
  dstate?: GradientTarget | undefined;
}

function overTimes(
  scope: Scope,
  { weight, dy, dnextState }: CausalConvBackwardInputs,
  { dx, dstate }: CausalConvBackwardTargets,
  shape: ConvShape,
): void {
  if (!dx && !dstate) return;
  scope.device.launch(causalConvBackwardKernel, {
    buffers: {
      weight: weight.buffer,
      dy: dy.buffer,
      dnextState: dnextState?.buffer,
      dx: dx?.tensor.buffer,
      dstate: dstate?.tensor.buffer,
    },
    params: {
      ...shape,
      dxOffset: dx?.tensor.offset ?? 0,
      dxStride: dx?.tensor.rowStride ?? 0,
      accumulateX: accumulateFlag(dx),
      accumulateState: accumulateFlag(dstate),
    },
  });
}

function ofWeights(
  scope: Scope,
  { x, state, dy }: CausalConvBackwardInputs,
  { dweight, dbias }: CausalConvBackwardTargets,
  shape: ConvShape,
): void {
  if (!dweight && !dbias) return;
  const { chunk, parts } = rowChunks(shape.B * shape.S);
  const partials = scope.tensor([parts, shape.D * (shape.K + 1)], 'fp32', 'conv_partials');
  scope.device.launch(causalConvWeightBackwardKernel, {
    buffers: { x: x.buffer, state: state?.buffer, dy: dy.buffer, partials: partials.buffer },
    params: { ...shape, chunk, xOffset: x.offset, xStride: x.rowStride },
  });
  sumPartials(scope, partials, 0, dweight);
  sumPartials(scope, partials, shape.D * shape.K, dbias);
  scope.release(partials);
}

/**
 * Gradients of `causalConv`; the equations are in the kernel's README. Given the gradient of the state that was left, a
 * sequence that was cut and continued gets the gradients of the whole.
 *
 * @param inputs x and dy `[B, S, D]`, weight `[D, 1, K]`, state and dnextState `[B, K-1, D]`, all fp32
 * @param targets any of dx `[B, S, D]`, dweight `[D, 1, K]`, dbias `[D]`, dstate `[B, K-1, D]`; sums over times are the
 * same bits each time
 * @throws ShapeError when shapes differ; OptionError for more than 8 taps or two gradients in one buffer; DtypeError for a
 * gradient that is not fp32.
 * @example
 * ```ts
 * causalConvBackward(scope, { x, weight, dy }, { dx, dweight, dbias })
 * ```
 */
export function causalConvBackward(
  scope: Scope,
  inputs: CausalConvBackwardInputs,
  targets: CausalConvBackwardTargets,
): void {
  const name = 'causalConvBackward';
  const { x, weight, state, dy, dnextState } = inputs;
  const shape = requireConvShapes(name, x, weight, { state });
  const { B, K, D } = shape;
  requireContiguous(name, 'dy', dy, x.shape);
  if (dnextState) requireContiguous(name, 'dnextState', dnextState, [B, K - 1, D]);
  requireGradient(name, 'dx', targets.dx, x.shape);
  requireContiguousGradient(name, 'dweight', targets.dweight, weight.shape);
  requireContiguousGradient(name, 'dbias', targets.dbias, [D]);
  requireContiguousGradient(name, 'dstate', targets.dstate, [B, K - 1, D]);
  overTimes(scope, inputs, targets, shape);
  ofWeights(scope, inputs, targets, shape);
}
