import { download } from '../transfer/download.ts';
import { TransferError } from '../transfer/transfer-error.ts';
import { matchesName } from './blob-hash.ts';
import type { BlobStore } from './blob-store.ts';
import { fileUrl, type Hub, type ListedFile, refusal } from './hub-api.ts';
import type { ModelId } from './model-id.ts';
import { byteReporter, type OnTransferProgress } from './progress.ts';

export type NamedBlob = ListedFile & { readonly blob: string };

/** One model's way into a store. */
export interface Delivery {
  readonly hub: Hub;
  readonly store: BlobStore;
  readonly model: ModelId;
  readonly commit: string;
  /** Whether what is cached already is believed by its size or read and hashed. */
  readonly verify: 'size' | 'hash';
  readonly onProgress: OnTransferProgress | undefined;
}

/** So often a file whose bytes turn out wrong is fetched anew before it is given up. */
const WHOLE_TRIES = 2;

/** Whether the store has the file already: under its name, or as a blob that only lacks the name. */
export async function isStored(
  delivery: Delivery,
  file: NamedBlob,
  signal: AbortSignal | undefined,
): Promise<'file' | 'blob' | undefined> {
  const { store, commit } = delivery;
  const sound = async (size: number | undefined, open: () => ReturnType<BlobStore['openBlob']>): Promise<boolean> => {
    if (size === undefined || (file.size !== undefined && size !== file.size)) return false;
    if (delivery.verify === 'size') return true;
    const source = await open();
    try {
      return await matchesName(file.blob, source, store, signal);
    } finally {
      await source.close();
    }
  };
  if (await sound(await store.fileSize(commit, file.name), () => store.openFile(commit, file.name))) return 'file';
  if (await sound(await store.blobSize(file.blob), () => store.openBlob(file.blob))) return 'blob';
  return undefined;
}

/**
 * Brings one file into the store, unless it is there. It appears under its name only when whole and checked; after a
 * cut or an abort what has arrived waits for the next call.
 */
export async function fetchFile(delivery: Delivery, file: NamedBlob, signal: AbortSignal | undefined): Promise<void> {
  const { store, commit, onProgress } = delivery;
  const event = { name: delivery.model.id, file: file.name };
  onProgress?.({ status: 'initiate', ...event });
  let stored = await isStored(delivery, file, signal);
  if (!stored) {
    await store.exclusively(file.blob, signal, async () => {
      // Whoever held the lock before may have brought it.
      stored = await isStored(delivery, file, signal);
      if (stored) return;
      onProgress?.({ status: 'download', ...event });
      await fetchBlob(delivery, file, signal);
    });
  }
  if (stored !== 'file') await store.link(commit, file.name, file.blob);
  onProgress?.({ status: 'done', ...event });
}

async function fetchBlob(delivery: Delivery, file: NamedBlob, signal: AbortSignal | undefined): Promise<void> {
  const { hub, store, model, commit } = delivery;
  const report = byteReporter(delivery.onProgress, model.id, file.name, file.size);
  const partial = await store.openPartial(file.blob);
  try {
    for (let tries = 1; ; tries++) {
      try {
        await download(fileUrl(hub, model.id, commit, file.name), `${file.name} of ${model.id}`, partial, {
          connection: hub.connection,
          expectedSize: file.size,
          signal,
          onBytes: () => report(partial.size),
          refused: (reply) => refusal(reply, hub, model, signal),
        });
        await check(delivery, file, await partial.sealed(), signal);
        await partial.publish();
        return;
      } catch (error) {
        const wrong = error instanceof TransferError && (error.code === 'corrupt' || error.code === 'changed');
        if (!wrong) throw error;
        await partial.restart();
        if (tries >= WHOLE_TRIES) throw error;
      }
    }
  } finally {
    await partial.close();
  }
}

async function check(
  delivery: Delivery,
  file: NamedBlob,
  source: Awaited<ReturnType<BlobStore['openBlob']>>,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    if (await matchesName(file.blob, source, delivery.store, signal)) return;
  } finally {
    await source.close();
  }
  throw new TransferError(
    'corrupt',
    `resolveModel: ${file.name} of ${delivery.model.id} arrived with ${source.size} bytes that are not those of hash ${file.blob}; nothing of it was kept, try again, and with another network or endpoint if it persists`,
  );
}
