import type { ByteSource } from '../byte-source/byte-source.ts';
import type { BlobStore, HashAlgorithm } from './blob-store.ts';

const PIECE = 4 * 1024 * 1024;

/** How a blob's name was computed from its content: large files by sha256, files in git by git's own rule. */
function algorithmOf(blob: string): HashAlgorithm | undefined {
  if (/^[0-9a-f]{64}$/.test(blob)) return 'sha256';
  return /^[0-9a-f]{40}$/.test(blob) ? 'sha1' : undefined;
}

/** Whether the bytes are those that the blob's name promises; true for names that are no hash. */
export async function matchesName(
  blob: string,
  source: ByteSource,
  store: BlobStore,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const algorithm = algorithmOf(blob);
  if (!algorithm) return true;
  const hasher = await store.hasher(algorithm);
  if (algorithm === 'sha1') hasher.update(new TextEncoder().encode(`blob ${source.size}\0`));
  for (let at = 0; at < source.size; at += PIECE) {
    hasher.update(await source.read(at, Math.min(PIECE, source.size - at), signal));
  }
  return hasher.hex() === blob;
}
