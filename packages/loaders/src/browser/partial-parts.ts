import { blobSource } from '../byte-source/blob-source.ts';
import type { ByteSource } from '../byte-source/byte-source.ts';
import type { PartialBlob } from '../hub/blob-store.ts';
import { fileIn, namesIn, type PrivateFolder, removeIn, subfolder, writeWhole } from './private-files.ts';

export const PARTS = 'parts';
/** The file, written last, that says the blob is whole, and of what size. */
export const WHOLE = 'whole';

/**
 * Browsers make a file's bytes last only when it is closed, and copy all of it when it is opened again. Parts that are
 * each written once and closed can be resumed without either.
 */
const PART_BYTES = 16 * 1024 * 1024;

type Guard = <T>(doing: string, work: () => Promise<T>) => Promise<T>;

/** The blob of that folder, as one, if it is whole; its bytes stay on disk. */
export async function wholeBlob(folder: PrivateFolder | undefined): Promise<Blob | undefined> {
  const size = await (await fileIn(folder, WHOLE))?.text();
  if (!folder || size === undefined) return undefined;
  const blob = await joined(await subfolder(folder, [PARTS], false));
  return String(blob.size) === size ? blob : undefined;
}

async function joined(parts: PrivateFolder | undefined): Promise<Blob> {
  const files: Blob[] = [];
  for (const name of (await namesIn(parts)).sort()) {
    const file = await fileIn(parts, name);
    if (file) files.push(file);
  }
  return new Blob(files);
}

/** A download kept as parts; those that are closed are there after a crash, and `close` closes the last one early. */
export class PartialParts implements PartialBlob {
  private readonly folder: PrivateFolder;
  private readonly name: string;
  private readonly guard: Guard;
  private parts: PrivateFolder;
  private count: number;
  private stored: number;
  private pending: Uint8Array<ArrayBuffer>[] = [];
  private pendingBytes = 0;

  private constructor(folder: PrivateFolder, name: string, guard: Guard, parts: PrivateFolder, sizes: number[]) {
    this.folder = folder;
    this.name = name;
    this.guard = guard;
    this.parts = parts;
    this.count = sizes.length;
    this.stored = sizes.reduce((sum, size) => sum + size, 0);
  }

  static async open(folder: PrivateFolder, name: string, guard: Guard): Promise<PartialParts> {
    const parts = (await subfolder(folder, [PARTS], true))!;
    const sizes: number[] = [];
    for (const part of (await namesIn(parts)).sort()) {
      const size = (await fileIn(parts, part))?.size ?? 0;
      // A crash leaves an empty file where a part was about to be; it would be counted and never filled.
      if (part === partName(sizes.length) && size > 0) sizes.push(size);
      else await removeIn(parts, part);
    }
    return new PartialParts(folder, name, guard, parts, sizes);
  }

  get size(): number {
    return this.stored + this.pendingBytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.pending.push(bytes.slice());
    this.pendingBytes += bytes.byteLength;
    if (this.pendingBytes >= PART_BYTES) await this.flush();
  }

  async restart(): Promise<void> {
    this.pending = [];
    this.pendingBytes = 0;
    await this.guard('beginning a download again', async () => {
      await removeIn(this.folder, WHOLE);
      await removeIn(this.folder, PARTS);
      this.parts = (await subfolder(this.folder, [PARTS], true))!;
      this.count = 0;
      this.stored = 0;
    });
  }

  async sealed(): Promise<ByteSource> {
    await this.flush();
    return this.guard('reading a download', async () => blobSource(await joined(this.parts), this.name));
  }

  async publish(): Promise<void> {
    await this.guard('finishing a download', () => writeWhole(this.folder, WHOLE, [String(this.stored)]));
  }

  async close(): Promise<void> {
    // What cannot be kept is fetched again; why it cannot was said when it was written.
    await this.flush().catch(() => {});
  }

  private async flush(): Promise<void> {
    if (this.pendingBytes === 0) return;
    await this.guard('writing a download', () => writeWhole(this.parts, partName(this.count), this.pending));
    this.count++;
    this.stored += this.pendingBytes;
    this.pending = [];
    this.pendingBytes = 0;
  }
}

/** Names that sort as they follow each other. */
function partName(index: number): string {
  return String(index).padStart(6, '0');
}
