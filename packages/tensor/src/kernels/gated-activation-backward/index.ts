import { defineKernel, type Kernel, OptionError } from '@xlstm/device';
import type { GradientTarget } from '../../gradient.ts';
import { accumulateFlag, requireGradient } from '../../gradient-checks.ts';
import type { Scope } from '../../scope.ts';
import { requireContiguous, requireShape, type Tensor } from '../../tensor.ts';
import { type ActivationName, activationCode } from '../activation/functions.ts';
import { gatedActivationBackwardReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { gatedActivationBackwardWebGpu } from './webgpu.ts';

export const gatedActivationBackwardKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'gated_activation_backward',
  bindings,
  params,
  webgpu: gatedActivationBackwardWebGpu,
  reference: gatedActivationBackwardReference,
});

/** What the backward of a gated activation takes: its inputs and the gradient of its result. */
export interface GatedActivationBackwardInputs {
  /** `[..., D]` fp32, may be columns of a fused projection */
  gate: Tensor;
  /** `[..., D]` fp32, may be columns of the same projection */
  up: Tensor;
  /** `[..., D]` fp32, contiguous */
  dy: Tensor;
}

/** Where the backward of a gated activation puts what is wanted: columns of one gradient, or two buffers. */
export interface GatedActivationBackwardTargets {
  /** `[..., D]`, may be columns of a wider gradient */
  dgate?: GradientTarget | undefined;
  /** `[..., D]`, may be other columns of the same gradient */
  dup?: GradientTarget | undefined;
}

/** Whether two views of one buffer, of the same shape, have an element in common. */
function overlap(a: Tensor, b: Tensor): boolean {
  if (a.rowStride !== b.rowStride || a.rows <= 1) return Math.abs(a.offset - b.offset) < a.cols;
  const apart = Math.abs(a.offset - b.offset) % a.rowStride;
  return apart < a.cols || a.rowStride - apart < a.cols;
}

function launch(
  operation: string,
  scope: Scope,
  { gate, up, dy }: GatedActivationBackwardInputs,
  { dgate, dup }: GatedActivationBackwardTargets,
  activation: ActivationName,
): void {
  const code = activationCode(operation, activation);
  requireShape(operation, 'up', up, gate.shape);
  requireContiguous(operation, 'dy', dy, gate.shape);
  requireGradient(operation, 'dgate', dgate, gate.shape);
  requireGradient(operation, 'dup', dup, gate.shape);
  const shared = dgate?.tensor.buffer === dup?.tensor.buffer;
  if (dgate && dup && shared && overlap(dgate.tensor, dup.tensor)) {
    throw new OptionError(`${operation}: dgate and dup overlap in "${dgate.tensor.buffer.label}"; pass other columns`);
  }
  const first = dgate ?? dup;
  if (!first) return;
  scope.device.launch(gatedActivationBackwardKernel, {
    buffers: {
      gate: gate.buffer,
      up: up.buffer,
      dy: dy.buffer,
      dgate: first.tensor.buffer,
      dup: dgate && !shared ? dup?.tensor.buffer : undefined,
    },
    params: {
      rows: gate.rows,
      D: gate.cols,
      gateOffset: gate.offset,
      gateStride: gate.rowStride,
      upOffset: up.offset,
      upStride: up.rowStride,
      dgateOffset: dgate?.tensor.offset ?? 0,
      dgateStride: dgate?.tensor.rowStride ?? 0,
      dupOffset: dup?.tensor.offset ?? 0,
      dupStride: dup?.tensor.rowStride ?? 0,
      accumulateGate: accumulateFlag(dgate),
      accumulateUp: accumulateFlag(dup),
      outputs: (dgate ? 1 : 0) + (dup ? 2 : 0),
      activation: code,
    },
  });
}

/**
 * Gradients of `gatedActivation`: `dgate = dy · up · f'(gate)`, `dup = dy · f(gate)`.
 *
 * @param inputs gate, up and dy `[..., D]` fp32
 * @param targets dgate and dup `[..., D]`; they may be columns of one buffer
 * @throws ShapeError when shapes differ; OptionError for an activation of another name or gradients that overlap;
 * DtypeError for a gradient that is not fp32.
 * @example
 * ```ts
 * const targets = {
 *   dgate: { tensor: dprojected.columns(0, F), accumulate: false },
 *   dup: { tensor: dprojected.columns(F, F), accumulate: false },
 * }
 * gatedActivationBackward(scope, { gate, up, dy }, targets, 'gelu')
 * ```
 */
export function gatedActivationBackward(
  scope: Scope,
  inputs: GatedActivationBackwardInputs,
  targets: GatedActivationBackwardTargets,
  activation: ActivationName,
): void {
  launch('gatedActivationBackward', scope, inputs, targets, activation);
}

/**
 * Gradients of `swiglu`: `dgate = dy · up · silu'(gate)`, `dup = dy · silu(gate)`.
 *
 * @param inputs gate, up and dy `[..., D]` fp32
 * @param targets dgate and dup `[..., D]`; they may be columns of one buffer
 * @throws ShapeError when shapes differ; OptionError for gradients that overlap; DtypeError for one that is not fp32.
 * @example
 * ```ts
 * swigluBackward(scope, { gate, up, dy }, { dgate, dup })
 * ```
 */
export function swigluBackward(
  scope: Scope,
  inputs: GatedActivationBackwardInputs,
  targets: GatedActivationBackwardTargets,
): void {
  launch('swigluBackward', scope, inputs, targets, 'silu');
}
