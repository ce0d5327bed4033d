import type { BlobStore } from './blob-store.ts';
import { type HubOptions, hasFileSystem, hubCacheFolder, symlinksAllowed } from './hub-settings.ts';

/** Where downloads of a model are kept here: Python's cache folder, or the page's private files. */
export async function openStore(id: string, options: HubOptions): Promise<BlobStore> {
  if (hasFileSystem()) {
    const { hubCache } = await import('../node/hub-cache.ts');
    return hubCache(hubCacheFolder(options.cacheDir), id, symlinksAllowed());
  }
  const { opfsStore } = await import('../browser/opfs-store.ts');
  return opfsStore(id, options.cacheDir);
}
