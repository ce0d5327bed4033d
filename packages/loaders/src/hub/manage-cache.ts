import { OptionError } from '@xlstm/device';
import { cachedModel } from './cached-model.ts';
import { hasFileSystem } from './hub-settings.ts';
import { modelId } from './model-id.ts';
import { openStore } from './open-store.ts';

export interface CacheOptions {
  readonly revision?: string | undefined;
  /** As for `resolveModel`. */
  readonly cacheDir?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Whether a hub model is here whole, so that `resolveModel` works offline; asks no server.
 *
 * @throws OptionError for an id or revision that cannot be.
 * @example
 * if (!(await isCached('NX-AI/xLSTM-7b'))) await confirmDownload();
 */
export async function isCached(id: string, options: CacheOptions = {}): Promise<boolean> {
  const model = modelId(id, options.revision);
  const store = await openStore(model.id, options);
  return (await cachedModel(store, model, options.signal)).missing.length === 0;
}

/**
 * Forgets a model, every revision of it and begun downloads; without an id, in a browser, all models. Node's cache
 * belongs to other programs too, so that an id must be named there.
 *
 * @throws OptionError for an id that cannot be, or none in Node; TransferError when files cannot be removed.
 * @example
 * await clearCache('NX-AI/xLSTM-7b');
 */
export async function clearCache(id?: string, options: Pick<CacheOptions, 'cacheDir'> = {}): Promise<void> {
  if (id !== undefined) return (await openStore(modelId(id).id, options)).clear();
  if (hasFileSystem()) {
    throw new OptionError('clearCache: name a model; the cache folder is shared with Python and other programs');
  }
  const { clearOpfs } = await import('../browser/opfs-store.ts');
  await clearOpfs(options.cacheDir);
}
