import { DeviceBuffer } from '../buffer.ts';
import type { Dtype } from '../dtypes/index.ts';
import type { DeviceIdentity } from '../identity.ts';

/** A buffer in GPU memory. `gpu` is the WebGPU object, for callers that mix in their own passes. */
export class WebGpuBuffer extends DeviceBuffer {
  readonly gpu: GPUBuffer;
  readonly #onRelease: () => void;

  constructor(
    device: DeviceIdentity,
    gpu: GPUBuffer,
    dtype: Dtype,
    length: number,
    owner: string,
    label: string,
    onRelease: () => void,
  ) {
    super(device, dtype, length, owner, label);
    this.gpu = gpu;
    this.#onRelease = onRelease;
  }

  protected release(): void {
    this.#onRelease();
    this.gpu.destroy();
  }
}
