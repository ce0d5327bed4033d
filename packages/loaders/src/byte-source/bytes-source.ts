import { DisposedError } from '@xlstm/device';
import { type ByteSource, checkRange } from './byte-source.ts';

/**
 * A source over bytes in memory; `read` returns views of them, nothing is copied.
 *
 * @example
 * const file = await openSafetensors(bytesSource(bytes, 'model.safetensors'));
 */
export function bytesSource(bytes: Uint8Array, name: string): ByteSource {
  return new BytesSource(bytes, name);
}

class BytesSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  bytesRead = 0;
  private bytes: Uint8Array | undefined;

  constructor(bytes: Uint8Array, name: string) {
    this.bytes = bytes;
    this.name = name;
    this.size = bytes.byteLength;
  }

  async read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    if (!this.bytes) throw new DisposedError(`bytesSource: ${this.name} was closed; open it again to read`);
    checkRange('bytesSource', this.name, this.size, offset, length);
    this.bytesRead += length;
    return this.bytes.subarray(offset, offset + length);
  }

  async readInto(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    target.set(await this.read(offset, target.byteLength, signal));
  }

  async close(): Promise<void> {
    this.bytes = undefined;
  }
}
