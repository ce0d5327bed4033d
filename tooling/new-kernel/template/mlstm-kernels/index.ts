import { type Device, type DeviceBuffer, defineKernel, type Kernel, ShapeError } from '@xlstm/device';
import { exampleScaleReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { exampleScaleWebGpu } from './webgpu.ts';

export const exampleScaleKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'example_scale',
  bindings,
  params,
  webgpu: exampleScaleWebGpu,
  reference: exampleScaleReference,
});

/**
 * Scales every element: `y = a · x`.
 *
 * @param x `[n]` fp32
 * @param y `[n]` fp32, written; another buffer than x
 * @param a the factor
 * @throws ShapeError when the lengths differ.
 * @example
 * ```ts
 * exampleScale(device, x, y, 0.5)
 * ```
 */
export function exampleScale(device: Device, x: DeviceBuffer, y: DeviceBuffer, a: number): void {
  if (x.length !== y.length) {
    throw new ShapeError(`exampleScale: x and y must be of one length, got ${x.length} and ${y.length}`);
  }
  device.launch(exampleScaleKernel, { buffers: { x, y }, params: { n: x.length, a } });
}
