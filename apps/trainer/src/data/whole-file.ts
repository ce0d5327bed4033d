import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileFailure } from './data-error.ts';

const TEMPORARY = '.tmp-';
const ABANDONED_AFTER_MS = 60 * 60 * 1000;

/** A file that appears under its name only when it is whole and on the disk. */
export class WholeFile {
  readonly path: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;
  #open = true;

  private constructor(path: string, temporary: string, handle: FileHandle) {
    this.path = path;
    this.#temporary = temporary;
    this.#handle = handle;
  }

  /** @throws DataError when the folder cannot be written */
  static async create(path: string): Promise<WholeFile> {
    const temporary = `${path}${TEMPORARY}${randomBytes(6).toString('hex')}`;
    try {
      return new WholeFile(path, temporary, await open(temporary, 'wx'));
    } catch (error) {
      throw fileFailure('cannot write', path, error);
    }
  }

  /** Writes all of `bytes`, at the end or at `position`. @throws DataError when the disk is full */
  async write(bytes: Uint8Array, position: number | null = null): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        const at = position === null ? null : position + done;
        done += (await this.#handle.write(bytes, done, bytes.length - done, at)).bytesWritten;
      }
    } catch (error) {
      throw fileFailure('cannot write', this.path, error);
    }
  }

  /** Syncs, and puts the file in its place. @throws DataError when that fails */
  async finish(): Promise<void> {
    try {
      await this.#handle.sync();
      await this.#close();
      await rename(this.#temporary, this.path);
    } catch (error) {
      throw fileFailure('cannot write', this.path, error);
    }
    // Windows cannot open a folder, and some file systems cannot sync one: the file is in its place all the same.
    const folder = await open(dirname(this.path), 'r').catch(() => undefined);
    await folder?.sync().catch(() => {});
    await folder?.close();
  }

  /** Leaves nothing behind; after `finish` it does nothing. */
  async discard(): Promise<void> {
    await this.#close();
    await unlink(this.#temporary).catch(() => {});
  }

  async #close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#handle.close();
  }
}

/** Writes a small file whole. @throws DataError when that fails */
export async function writeWhole(path: string, content: string): Promise<void> {
  const file = await WholeFile.create(path);
  try {
    await file.write(new TextEncoder().encode(content));
    await file.finish();
  } finally {
    await file.discard();
  }
}

/** Removes what killed processes left half written for files of this name, and not what someone is writing now. */
export async function removeAbandoned(prefix: string): Promise<void> {
  const folder = dirname(prefix);
  for (const name of await readdir(folder)) {
    if (!name.startsWith(basename(prefix)) || !name.includes(TEMPORARY)) continue;
    const path = join(folder, name);
    const facts = await stat(path).catch(() => undefined);
    if (facts && Date.now() - facts.mtimeMs > ABANDONED_AFTER_MS) await unlink(path).catch(() => {});
  }
}
