import { CheckpointError, DisposedError } from '@xlstm/device';
import { type ByteSource, checkRange } from './byte-source.ts';

/**
 * A source over a Blob, such as a File that a user picked or dropped; only the ranges asked for are read from disk.
 *
 * @example
 * const checkpoint = await openCheckpoint([...input.files].map((file) => blobSource(file, file.name)));
 */
export function blobSource(blob: Blob, name: string): ByteSource {
  return new BlobSource(blob, name);
}

class BlobSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  bytesRead = 0;
  private blob: Blob | undefined;

  constructor(blob: Blob, name: string) {
    this.blob = blob;
    this.name = name;
    this.size = blob.size;
  }

  async read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    if (!this.blob) throw new DisposedError(`blobSource: ${this.name} was closed; open it again to read`);
    checkRange('blobSource', this.name, this.size, offset, length);
    const buffer = await this.blob.slice(offset, offset + length).arrayBuffer();
    signal?.throwIfAborted();
    if (buffer.byteLength !== length) {
      throw new CheckpointError(
        `blobSource: ${this.name} should give ${length} bytes at ${offset}, got ${buffer.byteLength}; the file changed since it was picked, pick it again`,
      );
    }
    this.bytesRead += length;
    return new Uint8Array(buffer);
  }

  async close(): Promise<void> {
    this.blob = undefined;
  }
}
