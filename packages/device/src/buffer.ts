import { type Dtype, dtypeBytes } from './dtypes/index.ts';
import { DisposedError } from './errors.ts';
import type { DeviceIdentity } from './identity.ts';

let nextBufferId = 1;

/**
 * Memory of one device: `length` elements of `dtype`. Made by `device.alloc`, released by `dispose()` or `using`.
 * Its contents are only reachable through the device's queue (`upload`, `read`, `copy`, `launch`).
 */
export abstract class DeviceBuffer implements Disposable {
  readonly id: number = nextBufferId++;
  readonly device: DeviceIdentity;
  readonly dtype: Dtype;
  readonly length: number;
  /** Who answers for the buffer: `weights`, `state`, `arena`, … Live counts are kept per owner. */
  readonly owner: string;
  readonly label: string;
  #disposed = false;

  constructor(device: DeviceIdentity, dtype: Dtype, length: number, owner: string, label: string) {
    this.device = device;
    this.dtype = dtype;
    this.length = length;
    this.owner = owner;
    this.label = label;
  }

  /** Bytes of the contents; the device may round its allocation up to 4 bytes. */
  get byteLength(): number {
    return this.length * dtypeBytes(this.dtype);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Throws a `DisposedError` that names the operation when the buffer is gone. */
  assertLive(operation: string): void {
    if (this.#disposed) {
      throw new DisposedError(
        `${operation}: buffer "${this.label}" (owner ${this.owner}) was disposed; keep it until its last use`,
      );
    }
  }

  /** Gives the memory back. Work already queued still completes. A second call does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  protected abstract release(): void;
}
