import { openCheckpoint } from '../checkpoint/open-checkpoint.ts';
import { clearCache, isCached } from '../hub/manage-cache.ts';
import { type ResolveModelOptions, resolveModel } from '../hub/resolve-model.ts';
import { loadTensor } from '../tensor-stream/stream-tensor.ts';
import { TransferError } from '../transfer/transfer-error.ts';

/** What a test asks of the page; each runs in a real browser, over its private files. */
export interface OpfsPage {
  load(options?: ResolveModelOptions): Promise<{ names: string[]; last: number; statuses: string[] }>;
  /** Aborts once so many bytes of a shard are there; gives the name of what was thrown. */
  abortAfter(bytes: number): Promise<string>;
  failure(options?: ResolveModelOptions): Promise<{ code: string; message: string }>;
  /** Makes a blob's first part another one of the same size. */
  damage(blob: string): Promise<void>;
  isCached(): Promise<boolean>;
  clear(): Promise<void>;
}

interface Folder {
  getDirectoryHandle(name: string): Promise<Folder>;
  getFileHandle(name: string): Promise<{
    getFile(): Promise<Blob>;
    createWritable(): Promise<{ write(data: unknown): Promise<void>; close(): Promise<void> }>;
  }>;
}

/** The page's side of the test of the browser store. */
export function opfsPage(id: string, endpoint: string): OpfsPage {
  const retry = { baseDelayMs: 1, maxDelayMs: 5, retries: 3 };
  const storage = (globalThis as unknown as { navigator: { storage: unknown } }).navigator.storage as {
    getDirectory(): Promise<Folder>;
  };
  return {
    async load(options = {}) {
      const statuses = new Set<string>();
      const onProgress = ({ status }: { status: string }): void => void statuses.add(status);
      const files = await resolveModel(id, { endpoint, retry, onProgress, ...options });
      await using checkpoint = await openCheckpoint(files);
      const data = await loadTensor(checkpoint.tensors.get('b')!, 'fp32');
      return { names: [...files.names].sort(), last: data.at(-1) ?? 0, statuses: [...statuses] };
    },
    async abortAfter(bytes) {
      const controller = new AbortController();
      const onProgress: NonNullable<ResolveModelOptions['onProgress']> = (event) => {
        if (event.status === 'progress' && event.file.endsWith('.safetensors') && event.loaded >= bytes) {
          controller.abort(new RangeError('stop'));
        }
      };
      const thrown = await resolveModel(id, { endpoint, retry, onProgress, signal: controller.signal }).catch((e) => e);
      return thrown instanceof Error ? thrown.name : 'nothing';
    },
    async failure(options = {}) {
      const thrown = await resolveModel(id, { endpoint, retry, ...options }).catch((error: unknown) => error);
      if (!(thrown instanceof TransferError)) return { code: 'none', message: String(thrown) };
      return { code: thrown.code, message: thrown.message };
    },
    async damage(blob) {
      let folder = await storage.getDirectory();
      const path = ['xlstm-models', `models--${id.replace('/', '--')}`, 'blobs', blob, 'parts'];
      for (const name of path) folder = await folder.getDirectoryHandle(name);
      const handle = await folder.getFileHandle('000000');
      const { size } = await handle.getFile();
      const writable = await handle.createWritable();
      await writable.write(new Uint8Array(size));
      await writable.close();
    },
    isCached: () => isCached(id),
    clear: () => clearCache(),
  };
}
