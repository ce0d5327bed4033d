import type { FileHandle } from 'node:fs/promises';
import type { ByteSource } from '../byte-source/byte-source.ts';
import type { PartialBlob } from '../hub/blob-store.ts';
import { TransferError } from '../transfer/transfer-error.ts';
import { fileSource } from './file-source.ts';
import { nodeModules } from './node-modules.ts';
import { storageFailure, systemCode } from './storage-failure.ts';
import { syncFolder, writeFully } from './whole-writes.ts';

/** Opens the download that waits at `path`, or begins one; it will appear at `target`. */
export async function openPartialFile(path: string, target: string): Promise<PartialBlob> {
  const { fs, path: paths } = nodeModules('resolveModel');
  const folder = paths.dirname(path);
  try {
    const handle = await fs.open(path, 'r+').catch((error: unknown) => {
      if (systemCode(error) !== 'ENOENT') throw error;
      return fs.open(path, 'wx+');
    });
    return new PartialFile(handle, path, target, folder, (await handle.stat()).size);
  } catch (error) {
    throw storageFailure(error, folder, 'opening a download');
  }
}

class PartialFile implements PartialBlob {
  size: number;
  private handle: FileHandle | undefined;
  private readonly path: string;
  private readonly target: string;
  private readonly folder: string;

  constructor(handle: FileHandle, path: string, target: string, folder: string, size: number) {
    this.handle = handle;
    this.path = path;
    this.target = target;
    this.folder = folder;
    this.size = size;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.guarded('writing a download', async (handle) => {
      await writeFully(handle, bytes, this.size, undefined);
      this.size += bytes.byteLength;
    });
  }

  // A new file, not a truncated one: should another process have taken this one over, it keeps what it has.
  async restart(): Promise<void> {
    const { fs } = nodeModules('resolveModel');
    await this.guarded('beginning a download again', async (handle) => {
      await handle.close();
      this.handle = undefined;
      await fs.rm(this.path, { force: true });
      this.handle = await fs.open(this.path, 'wx+');
      this.size = 0;
    });
  }

  async sealed(): Promise<ByteSource> {
    return this.guarded('flushing a download', async (handle) => {
      await handle.sync();
      return fileSource(this.path);
    });
  }

  async publish(): Promise<void> {
    const { fs } = nodeModules('resolveModel');
    await this.guarded('finishing a download', async (handle) => {
      const mine = await handle.stat({ bigint: true });
      const there = await fs.stat(this.path, { bigint: true });
      if (mine.ino !== there.ino || there.size !== BigInt(this.size)) {
        throw new TransferError(
          'cache',
          `resolveModel: another process took over the download ${this.path}; try again`,
        );
      }
      await handle.close();
      this.handle = undefined;
      await fs.rename(this.path, this.target);
      await syncFolder(fs, this.folder);
    });
  }

  async close(): Promise<void> {
    const handle = this.handle;
    this.handle = undefined;
    await handle?.close();
    // An empty beginning is nothing to resume.
    if (handle && this.size === 0) await nodeModules('resolveModel').fs.rm(this.path, { force: true });
  }

  private async guarded<T>(doing: string, work: (handle: FileHandle) => Promise<T>): Promise<T> {
    try {
      if (!this.handle) throw new Error('the download was closed');
      return await work(this.handle);
    } catch (error) {
      throw storageFailure(error, this.folder, doing);
    }
  }
}
