import type { DeviceBuffer } from './buffer.ts';
import type { Device } from './device.ts';
import type { Dtype } from './dtypes/index.ts';
import { DisposedError } from './errors.ts';

/**
 * Reuses temporaries: `release` puts a buffer on a free list by dtype and length, `alloc` takes it from there.
 * Since a device is an ordered queue, a released buffer may be handed out at once: later launches come later.
 * A steady-state step therefore allocates nothing. Contents of a reused buffer are whatever was there.
 */
export class Arena implements Disposable {
  readonly device: Device;
  readonly owner: string;
  readonly #free = new Map<string, DeviceBuffer[]>();
  readonly #all = new Set<DeviceBuffer>();
  #disposed = false;

  constructor(device: Device, owner = 'arena') {
    this.device = device;
    this.owner = owner;
  }

  /** Buffers that the arena holds, free or in use. */
  get size(): number {
    return this.#all.size;
  }

  /** A buffer of `length` elements with undefined contents. */
  alloc(dtype: Dtype, length: number, label = 'temporary'): DeviceBuffer {
    if (this.#disposed) throw new DisposedError(`arena.alloc: the arena "${this.owner}" was disposed`);
    const list = this.#free.get(`${dtype}:${length}`);
    for (let reused = list?.pop(); reused; reused = list?.pop()) {
      if (!reused.disposed) return reused;
      this.#all.delete(reused);
    }
    const buffer = this.device.alloc(dtype, length, { owner: this.owner, label });
    this.#all.add(buffer);
    return buffer;
  }

  /** Makes a buffer of this arena available again; others are left alone. */
  release(buffer: DeviceBuffer): void {
    if (!this.#all.has(buffer) || buffer.disposed) return;
    const key = `${buffer.dtype}:${buffer.length}`;
    const list = this.#free.get(key);
    if (!list) this.#free.set(key, [buffer]);
    else if (!list.includes(buffer)) list.push(buffer);
  }

  /** Gives free buffers back to the device. */
  trim(): void {
    for (const list of this.#free.values()) {
      for (const buffer of list) {
        this.#all.delete(buffer);
        buffer.dispose();
      }
    }
    this.#free.clear();
  }

  /** Disposes every buffer, in use or not. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const buffer of this.#all) buffer.dispose();
    this.#all.clear();
    this.#free.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
