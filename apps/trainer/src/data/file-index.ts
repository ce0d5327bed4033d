import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileFailure } from './data-error.ts';
import type { DataFile } from './file-matching.ts';
import { inspectTokenFile, openFile, readTokens, toLittleEndian } from './token-file.ts';
import { writeWhole } from './whole-file.ts';

/** What was learned about a file by reading all of it once. */
export interface FileFacts {
  /** Of a text file's bytes; of a token file's ids, whatever its header. */
  readonly sha256: string;
  readonly bytes: number;
  /** Of a token file: the largest id, and at which token it first comes. */
  readonly largestId?: number;
  readonly largestAt?: number;
}

type Entry = FileFacts & { readonly stamp: string };

const SCAN_TOKENS = 2 ** 19;

/**
 * Remembers what files hold as long as their size and times do not change, so that a large corpus is read through once
 * and not at every start. Kept as `files.json` in the cache folder.
 */
export class FileIndex {
  readonly #path: string;
  readonly #entries: Map<string, Entry>;
  #changed = false;

  private constructor(path: string, entries: Map<string, Entry>) {
    this.#path = path;
    this.#entries = entries;
  }

  static async open(folder: string): Promise<FileIndex> {
    const path = join(folder, 'files.json');
    return new FileIndex(path, await readEntries(path));
  }

  /** @throws DataError when the file cannot be read, or is a truncated token file */
  async facts(file: DataFile, signal: AbortSignal | undefined, onBytes: (bytes: number) => void): Promise<FileFacts> {
    const { size, stamp } = await stampOf(file.path);
    const known = this.#entries.get(file.path);
    if (known?.stamp === stamp && (file.kind !== 'tokens' || known.largestId !== undefined)) {
      onBytes(size);
      return known;
    }
    const read = file.kind === 'tokens' ? readTokenFacts : readTextFacts;
    const facts = await read(file.path, signal, onBytes);
    this.#entries.set(file.path, { ...facts, stamp });
    this.#changed = true;
    return facts;
  }

  async save(): Promise<void> {
    if (this.#changed) await writeWhole(this.#path, `${JSON.stringify(Object.fromEntries(this.#entries), null, 2)}\n`);
    this.#changed = false;
  }
}

async function readEntries(path: string): Promise<Map<string, Entry>> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{}';
    throw fileFailure('cannot read', path, error);
  });
  try {
    const entries = Object.entries(JSON.parse(text) as Record<string, Entry>);
    return new Map(entries.filter(([, { stamp, sha256 }]) => typeof stamp === 'string' && typeof sha256 === 'string'));
  } catch {
    // A damaged index costs a second look at the files, nothing more.
    return new Map();
  }
}

async function stampOf(path: string): Promise<{ size: number; stamp: string }> {
  const facts = await stat(path, { bigint: true }).catch((error) => {
    throw fileFailure('cannot read', path, error);
  });
  const { size, mtimeNs, ctimeNs, ino } = facts;
  return { size: Number(size), stamp: `${size}:${mtimeNs}:${ctimeNs}:${ino}` };
}

async function readTextFacts(
  path: string,
  signal: AbortSignal | undefined,
  onBytes: (bytes: number) => void,
): Promise<FileFacts> {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(1024 * 1024);
  const handle = await openFile(path);
  try {
    for (let bytes = 0; ; ) {
      signal?.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null).catch((error) => {
        throw fileFailure('cannot read', path, error);
      });
      if (bytesRead === 0) return { sha256: hash.digest('hex'), bytes };
      hash.update(buffer.subarray(0, bytesRead));
      onBytes(bytesRead);
      bytes += bytesRead;
    }
  } finally {
    await handle.close();
  }
}

async function readTokenFacts(
  path: string,
  signal: AbortSignal | undefined,
  onBytes: (bytes: number) => void,
): Promise<FileFacts> {
  const file = await inspectTokenFile(path);
  const hash = createHash('sha256').update(`uint${8 * file.bytesPerToken}`);
  let largestId = -1;
  let largestAt = 0;
  const handle = await openFile(path);
  try {
    onBytes(file.headerBytes);
    for (let start = 0; start < file.tokens; start += SCAN_TOKENS) {
      signal?.throwIfAborted();
      const ids = await readTokens(file, handle, start, Math.min(SCAN_TOKENS, file.tokens - start));
      for (let i = 0; i < ids.length; i++) {
        if (ids[i]! <= largestId) continue;
        largestId = ids[i]!;
        largestAt = start + i;
      }
      hash.update(toLittleEndian(ids));
      onBytes(ids.byteLength);
    }
  } finally {
    await handle.close();
  }
  return { sha256: hash.digest('hex'), bytes: file.tokens * file.bytesPerToken, largestId, largestAt };
}
