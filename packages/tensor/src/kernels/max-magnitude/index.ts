import { defineKernel, type Kernel } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import type { Tensor } from '../../tensor.ts';
import { maxMagnitudeReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { maxMagnitudeWebGpu } from './webgpu.ts';

export const maxMagnitudeKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'max_magnitude',
  bindings,
  params,
  webgpu: maxMagnitudeWebGpu,
  reference: maxMagnitudeReference,
});

/**
 * The bits of the largest |x|, as u32.
 *
 * @param x `[..., D]` fp32, may be columns of a wider tensor
 * @returns `[1]` u32, of the scope
 */
export function maxMagnitude(scope: Scope, x: Tensor): Tensor {
  const max = scope.tensor([1], 'u32', 'largest magnitude');
  scope.device.clear(max.buffer);
  scope.device.launch(maxMagnitudeKernel, {
    buffers: { x: x.buffer, max: max.buffer },
    params: { rows: x.rows, D: x.cols, xOffset: x.offset, xStride: x.rowStride },
  });
  return max;
}
