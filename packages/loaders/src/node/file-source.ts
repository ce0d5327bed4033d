import type { FileHandle } from 'node:fs/promises';
import { CheckpointError, DisposedError } from '@xlstm/device';
import { type ByteSource, checkRange } from '../byte-source/byte-source.ts';
import { reason } from '../transfer/reason.ts';
import { nodeModules } from './node-modules.ts';

/** One system call reads at most this much, so that an abort takes effect in the midst of a large tensor. */
const MOST_PER_CALL = 16 * 1024 * 1024;

/**
 * A source over a file on disk (Node only); it stays open until `close`.
 *
 * @throws CheckpointError when there is no such regular file; OptionError outside Node.
 * @example
 * const source = await fileSource('model.safetensors');
 */
export async function fileSource(path: string): Promise<ByteSource> {
  const { fs, path: paths } = nodeModules('fileSource');
  let handle: FileHandle | undefined;
  try {
    // Looked at before it is opened: opening a named pipe would wait for its writer.
    const found = await fs.stat(path);
    if (!found.isFile()) {
      throw new CheckpointError(`fileSource: expected a regular file, got something else at ${path}; name a file`);
    }
    handle = await fs.open(path, 'r');
    const { size } = await handle.stat();
    return new FileSource(handle, paths.basename(path), size);
  } catch (error) {
    await handle?.close();
    if (error instanceof CheckpointError) throw error;
    throw new CheckpointError(`fileSource: cannot open ${path}: ${reason(error)}; check the path and its permissions`, {
      cause: error,
    });
  }
}

class FileSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  bytesRead = 0;
  private handle: FileHandle | undefined;

  constructor(handle: FileHandle, name: string, size: number) {
    this.handle = handle;
    this.name = name;
    this.size = size;
  }

  async read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    checkRange('fileSource', this.name, this.size, offset, length);
    const target = new Uint8Array(length);
    await this.readInto(offset, target, signal);
    return target;
  }

  async readInto(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    const length = target.byteLength;
    checkRange('fileSource', this.name, this.size, offset, length);
    signal?.throwIfAborted();
    let filled = 0;
    while (filled < length) {
      if (!this.handle) throw new DisposedError(`fileSource: ${this.name} was closed; open it again to read`);
      const wanted = Math.min(length - filled, MOST_PER_CALL);
      const { bytesRead } = await this.handle.read(target, filled, wanted, offset + filled);
      signal?.throwIfAborted();
      if (bytesRead === 0) {
        throw new CheckpointError(
          `fileSource: ${this.name} should give ${length} bytes at ${offset}, got ${filled}; the file shrank while it was open, copy it again`,
        );
      }
      filled += bytesRead;
      this.bytesRead += bytesRead;
    }
  }

  async close(): Promise<void> {
    const handle = this.handle;
    this.handle = undefined;
    await handle?.close();
  }
}
