import { defineKernel, type Kernel } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import { requireShape, type Tensor } from '../../tensor.ts';
import { swigluReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { swigluWebGpu } from './webgpu.ts';

export const swigluKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'swiglu',
  bindings,
  params,
  webgpu: swigluWebGpu,
  reference: swigluReference,
});

/**
 * The gated activation of the feed-forward: `y = silu(gate) · up`, with `silu(a) = a · sigmoid(a)`.
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
  requireShape('swiglu', 'up', up, gate.shape);
  const y = scope.tensor(gate.shape, 'fp32', 'swiglu');
  scope.device.launch(swigluKernel, {
    buffers: { gate: gate.buffer, up: up.buffer, y: y.buffer },
    params: {
      rows: gate.rows,
      D: gate.cols,
      gateOffset: gate.offset,
      gateStride: gate.rowStride,
      upOffset: up.offset,
      upStride: up.rowStride,
    },
  });
  return y;
}
