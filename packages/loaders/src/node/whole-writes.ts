import type { FileHandle } from 'node:fs/promises';

/** One write may take fewer bytes than it was given, and none takes more than 2 GiB. At the handle's place when `null`. */
export async function writeFully(
  handle: FileHandle,
  bytes: Uint8Array,
  position: number | null,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let written = 0; written < bytes.byteLength; ) {
    signal?.throwIfAborted();
    const length = Math.min(bytes.byteLength - written, 16 * 1024 * 1024);
    written += (await handle.write(bytes, written, length, position === null ? null : position + written)).bytesWritten;
  }
}

/**
 * The rename outlasts a power cut once the folder is synced. Windows cannot open a folder and some network file systems
 * cannot sync one; the file is whole and in its place by then, so that is no failure of the write.
 */
export async function syncFolder(fs: typeof import('node:fs/promises'), folder: string): Promise<void> {
  const handle = await fs.open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}
