import { type Device, type DeviceBuffer, DtypeError, defineKernel, type Kernel, OptionError } from '@xlstm/device';
import { randomFillReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { randomFillWebGpu } from './webgpu.ts';

export const randomFillKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'random_fill',
  bindings,
  params,
  webgpu: randomFillWebGpu,
  reference: randomFillReference,
});

/**
 * Fills a float buffer with uniform values in `mean ± scale`, made on the device.
 *
 * @param options.seed 32-bit unsigned; the same seed gives the same values on every device
 * @throws OptionError when scale is not positive, DtypeError for a buffer of u32.
 * @example
 * ```ts
 * randomFill(device, weights, { seed: 1, scale: 0.02 })
 * ```
 */
export function randomFill(
  device: Device,
  buffer: DeviceBuffer,
  options: { seed: number; scale: number; mean?: number },
): void {
  const { seed, scale, mean = 0 } = options;
  if (buffer.dtype === 'u32') {
    throw new DtypeError(`randomFill: buffer "${buffer.label}" must be fp32, fp16 or bf16, got u32; use randomBits`);
  }
  if (!(scale > 0)) throw new OptionError(`randomFill: scale must be positive, got ${scale}`);
  device.launch(randomFillKernel, { buffers: { y: buffer }, params: { length: buffer.length, seed, scale, mean } });
}

/**
 * Fills a u32 buffer with random bits, made on the device.
 *
 * @param options.seed 32-bit unsigned; the same seed gives the same bits on every device
 * @throws DtypeError unless the buffer is u32.
 * @example
 * ```ts
 * randomBits(device, codes, { seed: 1 })
 * ```
 */
export function randomBits(device: Device, buffer: DeviceBuffer, { seed }: { seed: number }): void {
  if (buffer.dtype !== 'u32') {
    throw new DtypeError(`randomBits: buffer "${buffer.label}" must be u32, got ${buffer.dtype}; use randomFill`);
  }
  device.launch(randomFillKernel, {
    buffers: { y: buffer },
    params: { length: buffer.length, seed, scale: 1, mean: 0 },
  });
}
