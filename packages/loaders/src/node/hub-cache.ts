import type { ByteSource } from '../byte-source/byte-source.ts';
import type { BlobStore, HashAlgorithm, Hasher, PartialBlob } from '../hub/blob-store.ts';
import { isCommit } from '../hub/model-id.ts';
import { TransferError } from '../transfer/transfer-error.ts';
import { fileSource } from './file-source.ts';
import { withLockFile } from './folder-lock.ts';
import { makeFolder } from './make-folder.ts';
import { nodeModules } from './node-modules.ts';
import { openPartialFile } from './partial-file.ts';
import { storageFailure, systemCode } from './storage-failure.ts';

/**
 * One model's part of the cache folder, laid out as by Python's huggingface_hub, which may use it at the same time:
 * `models--ORG--NAME/blobs/HASH`, `snapshots/COMMIT/NAME` linked to it, `refs/REVISION` with the commit. Downloads that
 * are not whole have a suffix of our own, so that neither client goes on with the other's.
 */
export function hubCache(cacheFolder: string, id: string, allowSymlinks: boolean): BlobStore {
  return new HubCache(cacheFolder, `models--${id.replaceAll('/', '--')}`, allowSymlinks);
}

class HubCache implements BlobStore {
  readonly place: string;
  private readonly cacheFolder: string;
  private readonly locks: string;
  private readonly allowSymlinks: boolean;

  constructor(cacheFolder: string, name: string, allowSymlinks: boolean) {
    const { path } = nodeModules('resolveModel');
    this.cacheFolder = cacheFolder;
    this.place = path.join(cacheFolder, name);
    this.locks = path.join(cacheFolder, '.locks', name);
    this.allowSymlinks = allowSymlinks;
  }

  async readRef(revision: string): Promise<string | undefined> {
    const { fs } = nodeModules('resolveModel');
    const text = await fs.readFile(this.at('refs', revision), 'utf8').catch(() => '');
    return isCommit(text.trim()) ? text.trim() : undefined;
  }

  async writeRef(revision: string, commit: string): Promise<void> {
    if ((await this.readRef(revision)) === commit) return;
    await this.guarded('noting a revision', async ({ fs }) => {
      await this.replace(this.at('refs', revision), (temporary) => fs.writeFile(temporary, commit));
    });
  }

  async list(commit: string): Promise<string[]> {
    const { fs } = nodeModules('resolveModel');
    const names = await fs.readdir(this.at('snapshots', commit)).catch(() => []);
    const sizes = await Promise.all(names.map((name) => this.fileSize(commit, name)));
    return names.filter((_, index) => sizes[index] !== undefined);
  }

  async fileSize(commit: string, name: string): Promise<number | undefined> {
    return sizeOf(this.at('snapshots', commit, name));
  }

  async blobSize(blob: string): Promise<number | undefined> {
    return sizeOf(this.at('blobs', blob));
  }

  async openFile(commit: string, name: string): Promise<ByteSource> {
    return fileSource(this.at('snapshots', commit, name));
  }

  async openBlob(blob: string): Promise<ByteSource> {
    return fileSource(this.at('blobs', blob));
  }

  async link(commit: string, name: string, blob: string): Promise<void> {
    await this.guarded('naming a file', async ({ fs, path }) => {
      const pointer = this.at('snapshots', commit, name);
      const target = this.at('blobs', blob);
      const relative = path.relative(path.dirname(pointer), target);
      if (this.allowSymlinks && (await fs.readlink(pointer).catch(() => '')) === relative) return;
      await this.replace(pointer, async (temporary) => {
        if (this.allowSymlinks) {
          try {
            await fs.symlink(relative, temporary);
            return;
          } catch (error) {
            if (!LACKS_LINKS.has(systemCode(error) ?? '')) throw error;
          }
        }
        // Windows without developer mode has no symlinks; a second name for the same bytes does as well.
        await fs.link(target, temporary).catch(() => fs.copyFile(target, temporary));
      });
    });
  }

  async exclusively<T>(blob: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    let working = false;
    try {
      const { path } = nodeModules('resolveModel');
      await makeFolder(this.locks);
      await makeFolder(this.at('blobs'));
      return await withLockFile(path.join(this.locks, `${blob}.xlstm.lock`), signal, () => {
        working = true;
        return work();
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw working ? error : storageFailure(error, this.cacheFolder, 'taking a lock');
    }
  }

  async openPartial(blob: string): Promise<PartialBlob> {
    return openPartialFile(this.partialPath(blob), this.at('blobs', blob));
  }

  async partialSize(blob: string): Promise<number> {
    return (await sizeOf(this.partialPath(blob))) ?? 0;
  }

  async checkRoom(bytes: number): Promise<void> {
    const { fs, path } = nodeModules('resolveModel');
    for (let folder = this.place; ; folder = path.dirname(folder)) {
      const found = await fs.statfs(folder).catch((error: unknown) => {
        if (systemCode(error) === 'ENOENT' && path.dirname(folder) !== folder) return undefined;
        throw storageFailure(error, this.cacheFolder, 'asking for its free space');
      });
      if (!found) continue;
      const free = found.bavail * found.bsize;
      // Some network file systems tell nothing, which is not the same as full.
      if (found.blocks === 0 || bytes <= free) return;
      throw new TransferError(
        'disk-full',
        `resolveModel: ${bytes} bytes are still to be downloaded to ${this.cacheFolder}, which has ${free} free; free some space, or name another folder with cacheDir or HF_HOME`,
      );
    }
  }

  async hasher(algorithm: HashAlgorithm): Promise<Hasher> {
    const hash = nodeModules('resolveModel').crypto.createHash(algorithm);
    return { update: (bytes) => hash.update(bytes), hex: () => hash.digest('hex') };
  }

  async clear(): Promise<void> {
    await this.guarded('removing a model', async ({ fs }) => {
      await fs.rm(this.place, { recursive: true, force: true });
      await fs.rm(this.locks, { recursive: true, force: true });
    });
  }

  private at(...parts: string[]): string {
    return nodeModules('resolveModel').path.join(this.place, ...parts);
  }

  private partialPath(blob: string): string {
    return this.at('blobs', `${blob}.xlstm.incomplete`);
  }

  /** What `make` makes under another name takes the place of `path` at once. */
  private async replace(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
    const { fs, path: paths } = nodeModules('resolveModel');
    await makeFolder(paths.dirname(path));
    await makeFolder(this.at('blobs'));
    // Among the blobs nobody looks by listing; in a snapshot or refs whatever is there counts.
    const temporary = this.at('blobs', `${globalThis.crypto.randomUUID()}.xlstm.tmp`);
    try {
      await make(temporary);
      await fs.rename(temporary, path);
    } finally {
      await fs.rm(temporary, { force: true });
    }
  }

  private async guarded<T>(doing: string, work: (modules: ReturnType<typeof nodeModules>) => Promise<T>): Promise<T> {
    try {
      return await work(nodeModules('resolveModel'));
    } catch (error) {
      throw storageFailure(error, this.cacheFolder, doing);
    }
  }
}

/** What file systems and Windows answer that have no symlinks, or none for this user. */
const LACKS_LINKS = new Set(['EPERM', 'EACCES', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'UNKNOWN']);

async function sizeOf(path: string): Promise<number | undefined> {
  const found = await nodeModules('resolveModel')
    .fs.stat(path)
    .catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}
