const KEEP = 1024;

/**
 * Uniform buffers by content. Shapes repeat, so nearly every launch finds its parameters already on the device.
 * The oldest are forgotten, not destroyed: a bind group may still hold them.
 */
export class UniformCache {
  readonly #device: GPUDevice;
  readonly #buffers = new Map<string, GPUBuffer>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  get(words: Uint32Array<ArrayBuffer>): GPUBuffer {
    const key = words.join();
    const known = this.#buffers.get(key);
    if (known) return known;
    const buffer = this.#device.createBuffer({
      label: 'params',
      size: words.byteLength,
      usage: 0x40, // UNIFORM
      mappedAtCreation: true,
    });
    new Uint32Array(buffer.getMappedRange()).set(words);
    buffer.unmap();
    if (this.#buffers.size >= KEEP) {
      const [oldest] = this.#buffers.keys();
      this.#buffers.delete(oldest!);
    }
    this.#buffers.set(key, buffer);
    return buffer;
  }

  dispose(): void {
    this.#buffers.clear();
  }
}
