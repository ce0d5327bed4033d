import type { ByteSource } from '../byte-source/byte-source.ts';

/** Bytes that watch how they are read: a read past the end is an error of the reader, and each byte's reads count. */
export class GuardedSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly readsOf: Uint8Array;
  bytesRead = 0;
  largestRead = 0;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array, name = 'guarded.safetensors') {
    this.bytes = bytes;
    this.name = name;
    this.size = bytes.byteLength;
    this.readsOf = new Uint8Array(bytes.byteLength);
  }

  async read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    this.largestRead = Math.max(this.largestRead, length);
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      throw new RangeError(`read of ${length} bytes at ${offset}, past the ${this.size} bytes there are`);
    }
    this.bytesRead += length;
    for (let at = offset; at < offset + length; at++) this.readsOf[at]!++;
    return this.bytes.subarray(offset, offset + length);
  }

  async close(): Promise<void> {}
}
