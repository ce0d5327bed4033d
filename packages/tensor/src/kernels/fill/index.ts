import { defineKernel, type Kernel } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import type { Tensor } from '../../tensor.ts';
import { fillReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { fillWebGpu } from './webgpu.ts';

export const fillKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'fill',
  bindings,
  params,
  webgpu: fillWebGpu,
  reference: fillReference,
});

/**
 * Sets every element of a tensor to one value, on the device: it can be recorded, where an upload cannot.
 *
 * @param y `[..., D]` fp32, may be columns of a wider tensor
 * @throws OptionError when value is NaN.
 * @example
 * ```ts
 * fill(scope, scale, 1)
 * ```
 */
export function fill(scope: Pick<Scope, 'device'>, y: Tensor, value: number): void {
  scope.device.launch(fillKernel, {
    buffers: { y: y.buffer },
    params: { rows: y.rows, D: y.cols, yOffset: y.offset, yStride: y.rowStride, value },
  });
}
