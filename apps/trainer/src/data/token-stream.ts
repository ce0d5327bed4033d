import type { FileHandle } from 'node:fs/promises';
import { DisposedError, OptionError } from '@xlstm/device';
import { openFile, readTokens, type TokenFile } from './token-file.ts';

/** A long row of token ids of which any part can be read. */
export interface TokenStream {
  /** Number of ids. */
  readonly tokens: number;
  /** Equal for equal ids from equal text and tokenizer, wherever the files lie. */
  readonly fingerprint: string;
  /** Fills `out` with ids `start … start + out.length - 1`. */
  read(start: number, out: Int32Array): Promise<void>;
  close(): Promise<void>;
}

/** 32 or 64 KiB: more than a window, little enough to read for one. */
const BLOCK_TOKENS = 16384;
/** 16 or 32 MiB: all of a small corpus, so that its windows cost no reads. */
const CACHED_BLOCKS = 512;
const OPEN_FILES = 64;

/** Token files, one after another, of which the parts last read stay in memory. */
export class TokenFileStream implements TokenStream {
  readonly tokens: number;
  readonly fingerprint: string;
  readonly #files: readonly TokenFile[];
  /** Id at which each file begins. */
  readonly #starts: readonly number[];
  /** Least recently used first. */
  readonly #blocks = new Map<string, Promise<Uint16Array | Uint32Array>>();
  readonly #handles = new Map<number, Promise<FileHandle>>();
  #closed = false;

  constructor(files: readonly TokenFile[], fingerprint: string) {
    const starts: number[] = [];
    let tokens = 0;
    for (const file of files) {
      starts.push(tokens);
      tokens += file.tokens;
    }
    this.tokens = tokens;
    this.fingerprint = fingerprint;
    this.#files = files;
    this.#starts = starts;
  }

  async read(start: number, out: Int32Array): Promise<void> {
    if (this.#closed) throw new DisposedError('TokenStream.read: the stream is closed');
    if (!Number.isSafeInteger(start) || start < 0 || start + out.length > this.tokens) {
      throw new OptionError(
        `TokenStream.read: expected a range within ${this.tokens} tokens, got ${start} … ${start + out.length - 1}`,
      );
    }
    let index = this.#fileOf(start);
    for (let done = 0; done < out.length; ) {
      const file = this.#files[index]!;
      const at = start + done - this.#starts[index]!;
      if (at >= file.tokens) {
        index++;
        continue;
      }
      const block = Math.floor(at / BLOCK_TOKENS);
      const ids = await this.#block(index, block);
      const from = at - block * BLOCK_TOKENS;
      const part = ids.subarray(from, from + out.length - done);
      out.set(part, done);
      done += part.length;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#blocks.values());
    this.#blocks.clear();
    const handles = [...this.#handles.values()];
    this.#handles.clear();
    for (const handle of handles) await handle.then((open) => open.close()).catch(() => {});
  }

  #fileOf(start: number): number {
    let low = 0;
    let high = this.#files.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#starts[middle]! <= start) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #block(index: number, block: number): Promise<Uint16Array | Uint32Array> {
    const key = `${index}:${block}`;
    let ids = this.#blocks.get(key);
    this.#blocks.delete(key);
    if (ids === undefined) {
      ids = this.#load(index, block);
      // A failure is not remembered: the next read tries again.
      ids.catch(() => this.#blocks.delete(key));
      if (this.#blocks.size >= CACHED_BLOCKS) this.#blocks.delete(this.#blocks.keys().next().value!);
    }
    this.#blocks.set(key, ids);
    return ids;
  }

  async #load(index: number, block: number): Promise<Uint16Array | Uint32Array> {
    const file = this.#files[index]!;
    const start = block * BLOCK_TOKENS;
    const count = Math.min(BLOCK_TOKENS, file.tokens - start);
    if (this.#files.length <= OPEN_FILES) return readTokens(file, await this.#handle(index), start, count);
    // So many files at once are more than a process may hold open.
    const handle = await openFile(file.path);
    try {
      return await readTokens(file, handle, start, count);
    } finally {
      await handle.close();
    }
  }

  #handle(index: number): Promise<FileHandle> {
    let handle = this.#handles.get(index);
    if (handle === undefined) {
      handle = openFile(this.#files[index]!.path);
      handle.catch(() => this.#handles.delete(index));
      this.#handles.set(index, handle);
    }
    return handle;
  }
}
