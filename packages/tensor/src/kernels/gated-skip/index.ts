import { defineKernel, type Kernel } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import { requireContiguous, requireShape, type Tensor } from '../../tensor.ts';
import { gatedSkipBackward } from '../gated-skip-backward/index.ts';
import { gatedSkipReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { gatedSkipWebGpu } from './webgpu.ts';

export const gatedSkipKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'gated_skip',
  bindings,
  params,
  webgpu: gatedSkipWebGpu,
  reference: gatedSkipReference,
});

/** What `gatedSkip` takes. */
export interface GatedSkipInputs {
  /** `[..., D]` fp32, contiguous: the normed output of the cell */
  h: Tensor;
  /** `[D]` fp32, learned */
  skip: Tensor;
  /** `[..., D]` fp32, contiguous: the activated convolution */
  a: Tensor;
  /** `[..., D]` fp32, may be columns of the up-projection */
  z: Tensor;
}

/**
 * The gated output of an mLSTM block with a learned skip connection: `y = (h + skip · a) · silu(z)`.
 *
 * @param inputs h, a and z `[..., D]` fp32, skip `[D]` fp32
 * @returns `[..., D]` fp32, contiguous
 * @throws ShapeError when shapes differ or a tensor other than z is a view. Source: xLSTM (2405.04517), appendix on block structure.
 * @example
 * ```ts
 * const y = gatedSkip(scope, { h, skip, a, z: projected.columns(D, D) })
 * ```
 */
export function gatedSkip(scope: Scope, { h, skip, a, z }: GatedSkipInputs): Tensor {
  requireContiguous('gatedSkip', 'h', h);
  requireContiguous('gatedSkip', 'skip', skip, [h.cols]);
  requireContiguous('gatedSkip', 'a', a, h.shape);
  requireShape('gatedSkip', 'z', z, h.shape);
  const y = scope.tensor(h.shape, 'fp32', 'gated_skip');
  scope.device.launch(gatedSkipKernel, {
    buffers: { h: h.buffer, skip: skip.buffer, a: a.buffer, z: z.buffer, y: y.buffer },
    params: { rows: h.rows, D: h.cols, zOffset: z.offset, zStride: z.rowStride },
  });
  scope.record({
    name: 'gatedSkip',
    inputs: [h, skip, a, z],
    outputs: [y],
    saved: [h, skip, a, z],
    backward: (gradients) => {
      const targets = {
        dh: gradients.target(h),
        dskip: gradients.target(skip),
        da: gradients.target(a),
        dz: gradients.target(z),
      };
      gatedSkipBackward(gradients.scope, { h, skip, a, z, dy: gradients.of(y)! }, targets);
    },
  });
  return y;
}
