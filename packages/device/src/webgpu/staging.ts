/** A mappable buffer lent out for one read. */
export interface Staging {
  buffer: GPUBuffer;
  size: number;
}

const KEEP_BYTES = 64 * 1024;
const KEEP_COUNT = 8;

/** Mappable buffers for reads. Small ones are kept, since decoding reads one token id after another. */
export class StagingPool {
  readonly #device: GPUDevice;
  readonly #free: Staging[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  take(bytes: number): Staging {
    const at = this.#free.findIndex(({ size }) => size >= bytes);
    const [found] = at < 0 ? [] : this.#free.splice(at, 1);
    if (found) return found;
    const size = bytes <= KEEP_BYTES ? 2 ** Math.ceil(Math.log2(Math.max(256, bytes))) : bytes;
    const buffer = this.#device.createBuffer({ label: 'read', size, usage: 0x01 | 0x08 }); // MAP_READ, COPY_DST
    return { buffer, size };
  }

  /** Takes a buffer back; one that a failed read left mapped or pending is destroyed. */
  giveBack(staging: Staging): void {
    if (staging.size <= KEEP_BYTES && this.#free.length < KEEP_COUNT && staging.buffer.mapState === 'unmapped') {
      this.#free.push(staging);
    } else staging.buffer.destroy();
  }

  dispose(): void {
    for (const { buffer } of this.#free) buffer.destroy();
    this.#free.length = 0;
  }
}
