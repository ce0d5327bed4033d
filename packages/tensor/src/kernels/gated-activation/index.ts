import { defineKernel, type Kernel } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import { requireShape, type Tensor } from '../../tensor.ts';
import { type ActivationName, activationCode } from '../activation/functions.ts';
import { gatedActivationBackward } from '../gated-activation-backward/index.ts';
import { gatedActivationReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { gatedActivationWebGpu } from './webgpu.ts';

export const gatedActivationKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'gated_activation',
  bindings,
  params,
  webgpu: gatedActivationWebGpu,
  reference: gatedActivationReference,
});

/**
 * The gated activation of a feed-forward: `y = f(gate) · up`, with `silu(a) = a · sigmoid(a)` or the exact
 * `gelu(a) = a · Φ(a)` for f.
 *
 * @param gate `[..., D]` fp32, may be columns of a fused projection
 * @param up `[..., D]` fp32, may be columns of the same projection
 * @returns `[..., D]` fp32, contiguous
 * @throws ShapeError when the shapes differ; OptionError for an activation of another name.
 * Source: Shazeer (2002.05202).
 * @example
 * ```ts
 * const y = gatedActivation(scope, projected.columns(0, F), projected.columns(F, F), 'gelu')
 * ```
 */
export function gatedActivation(scope: Scope, gate: Tensor, up: Tensor, activation: ActivationName): Tensor {
  return launch('gatedActivation', scope, gate, up, activation);
}

/**
 * The gated activation of xLSTM Large's feed-forward: `y = silu(gate) · up`, with `silu(a) = a · sigmoid(a)`.
 *
 * @param gate `[..., D]` fp32, may be columns of a fused projection
 * @param up `[..., D]` fp32, may be columns of the same projection
 * @returns `[..., D]` fp32, contiguous
 * @throws ShapeError when the shapes differ. Source: Shazeer (2002.05202).
 * @example
 * ```ts
 * const y = swiglu(scope, projected.columns(0, F), projected.columns(F, F))
 * ```
 */
export function swiglu(scope: Scope, gate: Tensor, up: Tensor): Tensor {
  return launch('swiglu', scope, gate, up, 'silu');
}

function launch(operation: string, scope: Scope, gate: Tensor, up: Tensor, activation: ActivationName): Tensor {
  const code = activationCode(operation, activation);
  requireShape(operation, 'up', up, gate.shape);
  const y = scope.tensor(gate.shape, 'fp32', operation);
  scope.device.launch(gatedActivationKernel, {
    buffers: { gate: gate.buffer, up: up.buffer, y: y.buffer },
    params: {
      rows: gate.rows,
      D: gate.cols,
      gateOffset: gate.offset,
      gateStride: gate.rowStride,
      upOffset: up.offset,
      upStride: up.rowStride,
      activation: code,
    },
  });
  scope.record({
    name: operation,
    inputs: [gate, up],
    outputs: [y],
    saved: [gate, up],
    backward: (gradients) => {
      const [dgate, dup] = gradients.targets(gate, up);
      gatedActivationBackward(gradients.scope, { gate, up, dy: gradients.of(y)! }, { dgate, dup }, activation);
    },
  });
  return y;
}
