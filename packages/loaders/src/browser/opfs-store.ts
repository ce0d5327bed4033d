import { OptionError } from '@xlstm/device';
import { blobSource } from '../byte-source/blob-source.ts';
import type { ByteSource } from '../byte-source/byte-source.ts';
import type { BlobStore, HashAlgorithm, Hasher, PartialBlob } from '../hub/blob-store.ts';
import { isCommit } from '../hub/model-id.ts';
import { reason } from '../transfer/reason.ts';
import { TransferError } from '../transfer/transfer-error.ts';
import { PARTS, PartialParts, WHOLE, wholeBlob } from './partial-parts.ts';
import {
  browserNavigator,
  fileIn,
  namesIn,
  type PrivateFolder,
  removeIn,
  subfolder,
  writeWhole,
} from './private-files.ts';

const ROOT = 'xlstm-models';

/**
 * One model's part of a page's private files, laid out as Node's cache: `blobs/HASH` is a folder of parts, and whole
 * once it holds its size; `snapshots/COMMIT/NAME` holds the blob's hash; `refs/REVISION` the commit.
 *
 * @param root the folder's name below the origin's private files.
 */
export async function opfsStore(id: string, root: string = ROOT): Promise<BlobStore> {
  const { storage } = browserNavigator();
  const top = await privateRoot(storage);
  return new OpfsStore(top, [root, `models--${id.replaceAll('/', '--')}`]);
}

/** Forgets every model of the origin. */
export async function clearOpfs(root: string = ROOT): Promise<void> {
  const { storage } = browserNavigator();
  await guarded(ROOT, 'removing all models', async () => removeIn(await privateRoot(storage), root));
}

async function privateRoot(storage: ReturnType<typeof browserNavigator>['storage']): Promise<PrivateFolder> {
  if (!storage?.getDirectory) {
    throw new TransferError(
      'cache',
      'resolveModel: this page has no private files to keep a model in; serve it over https or from localhost, or pass download: false',
    );
  }
  return guarded(ROOT, 'opening it', () => storage.getDirectory!());
}

class OpfsStore implements BlobStore {
  readonly place: string;
  private readonly top: PrivateFolder;
  private readonly path: readonly string[];

  constructor(top: PrivateFolder, path: readonly string[]) {
    this.top = top;
    this.path = path;
    this.place = `the browser's private files at ${path.join('/')}`;
  }

  async readRef(revision: string): Promise<string | undefined> {
    const text = await (await fileIn(await this.folder(false, 'refs'), encodeURIComponent(revision)))?.text();
    return text !== undefined && isCommit(text) ? text : undefined;
  }

  async writeRef(revision: string, commit: string): Promise<void> {
    await guarded(this.place, 'noting a revision', async () => {
      await writeWhole((await this.folder(true, 'refs'))!, encodeURIComponent(revision), [commit]);
    });
  }

  async list(commit: string): Promise<string[]> {
    const names = await namesIn(await this.folder(false, 'snapshots', commit));
    const sizes = await Promise.all(names.map((name) => this.fileSize(commit, name)));
    return names.filter((_, index) => sizes[index] !== undefined);
  }

  async fileSize(commit: string, name: string): Promise<number | undefined> {
    const blob = await this.blobOf(commit, name);
    return blob === undefined ? undefined : this.blobSize(blob);
  }

  async blobSize(blob: string): Promise<number | undefined> {
    return (await wholeBlob(await this.folder(false, 'blobs', blob)))?.size;
  }

  async openFile(commit: string, name: string): Promise<ByteSource> {
    return blobSource(await this.whole((await this.blobOf(commit, name)) ?? name), name);
  }

  async openBlob(blob: string): Promise<ByteSource> {
    return blobSource(await this.whole(blob), blob);
  }

  async link(commit: string, name: string, blob: string): Promise<void> {
    await guarded(this.place, 'naming a file', async () => {
      await writeWhole((await this.folder(true, 'snapshots', commit))!, name, [blob]);
    });
  }

  async exclusively<T>(blob: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const { locks } = browserNavigator();
    // Where a browser has no locks, two tabs may download the same file twice; each part is still written whole.
    if (!locks) return work();
    return locks.request([...this.path, blob].join('/'), signal ? { signal } : {}, work);
  }

  async openPartial(blob: string): Promise<PartialBlob> {
    return guarded(this.place, 'opening a download', async () => {
      const folder = (await this.folder(true, 'blobs', blob))!;
      await removeIn(folder, WHOLE);
      return PartialParts.open(folder, blob, (doing, action) => guarded(this.place, doing, action));
    });
  }

  async partialSize(blob: string): Promise<number> {
    const parts = await subfolderSize(await this.folder(false, 'blobs', blob, PARTS));
    return parts;
  }

  async checkRoom(bytes: number): Promise<void> {
    const { storage } = browserNavigator();
    const { quota, usage = 0 } = (await storage?.estimate?.()) ?? {};
    if (quota === undefined || bytes <= quota - usage) return;
    throw new TransferError(
      'quota',
      `resolveModel: ${bytes} bytes are still to be downloaded to ${this.place}, and the browser grants ${Math.max(0, quota - usage)} more of its ${quota}; free disk space, call clearCache for other models, or use a smaller one`,
    );
  }

  async hasher(algorithm: HashAlgorithm): Promise<Hasher> {
    // The browser's own digest takes whole buffers only, and weights are larger than any buffer.
    const hash =
      algorithm === 'sha256'
        ? (await import('@noble/hashes/sha2.js')).sha256.create()
        : (await import('@noble/hashes/legacy.js')).sha1.create();
    return {
      update: (bytes) => hash.update(bytes),
      hex: () => Array.from(hash.digest(), (byte) => byte.toString(16).padStart(2, '0')).join(''),
    };
  }

  async clear(): Promise<void> {
    await guarded(this.place, 'removing a model', async () => {
      await removeIn(await subfolder(this.top, this.path.slice(0, -1), false), this.path.at(-1)!);
    });
  }

  private folder(create: boolean, ...parts: string[]): Promise<PrivateFolder | undefined> {
    return subfolder(this.top, [...this.path, ...parts], create);
  }

  private async blobOf(commit: string, name: string): Promise<string | undefined> {
    return (await fileIn(await this.folder(false, 'snapshots', commit), name))?.text();
  }

  private async whole(blob: string): Promise<Blob> {
    const found = await wholeBlob(await this.folder(false, 'blobs', blob));
    if (!found)
      throw new TransferError('cache', `resolveModel: ${blob} is no longer in ${this.place}; resolve it again`);
    return found;
  }
}

async function subfolderSize(folder: PrivateFolder | undefined): Promise<number> {
  let size = 0;
  for (const name of await namesIn(folder)) size += (await fileIn(folder, name))?.size ?? 0;
  return size;
}

async function guarded<T>(place: string, doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TransferError || error instanceof OptionError) throw error;
    const full = error instanceof Error && error.name === 'QuotaExceededError';
    throw new TransferError(
      full ? 'quota' : 'cache',
      full
        ? `resolveModel: the browser grants no more room in ${place} while ${doing}; free disk space or call clearCache for other models; the download goes on from there`
        : `resolveModel: ${place} failed while ${doing}: ${reason(error)}; try again, or call clearCache`,
      { cause: error },
    );
  }
}
