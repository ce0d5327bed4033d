import { type FileHandle, open } from 'node:fs/promises';
import { endianness } from 'node:os';
import { DataError, fileFailure } from './data-error.ts';

/**
 * Files of token ids. nanoGPT's are uint16, little-endian, nothing else; llm.c's begin with 256 int32 (magic, version,
 * number of tokens, zeros) and hold uint16 (GPT-2) or uint32 (Llama 3). Ours are written as llm.c's.
 */
export interface TokenFile {
  readonly path: string;
  readonly bytesPerToken: 2 | 4;
  readonly headerBytes: number;
  readonly tokens: number;
}

export const HEADER_BYTES = 1024;
const LAYOUTS = [
  { magic: 20240520, version: 1, bytesPerToken: 2 },
  { magic: 20240801, version: 7, bytesPerToken: 4 },
] as const;

/** llm.c's header for ids of this width. */
export function tokenFileHeader(bytesPerToken: 2 | 4, tokens: number): Uint8Array {
  const layout = LAYOUTS.find((each) => each.bytesPerToken === bytesPerToken)!;
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  header.setInt32(0, layout.magic, true);
  header.setInt32(4, layout.version, true);
  header.setInt32(8, tokens, true);
  return new Uint8Array(header.buffer);
}

/**
 * What a `.bin` holds, from its header and size.
 *
 * @throws DataError when it is empty, truncated, or of another version
 */
export async function inspectTokenFile(path: string): Promise<TokenFile> {
  const handle = await openFile(path);
  try {
    const { size } = await handle.stat();
    const header = new DataView(new ArrayBuffer(12));
    const { bytesRead } = await handle.read(new Uint8Array(header.buffer), 0, 12, 0);
    const magic = bytesRead === 12 ? header.getInt32(0, true) : 0;
    const layout = LAYOUTS.find((each) => each.magic === magic);
    if (layout) return withHeader(path, size, layout, header.getInt32(4, true), header.getInt32(8, true));
    if (size === 0)
      throw new DataError(`reading tokens: expected token ids, got an empty file: ${path}`, { file: path });
    if (size % 2 !== 0) {
      throw new DataError(
        `reading tokens: expected uint16 ids, got an odd number of bytes (${size}): ${path} is truncated or no token file`,
        { file: path, offset: size - 1 },
      );
    }
    return { path, bytesPerToken: 2, headerBytes: 0, tokens: size / 2 };
  } finally {
    await handle.close();
  }
}

function withHeader(
  path: string,
  size: number,
  layout: (typeof LAYOUTS)[number],
  version: number,
  tokens: number,
): TokenFile {
  const { bytesPerToken } = layout;
  if (version !== layout.version) {
    throw new DataError(
      `reading tokens: expected version ${layout.version} of llm.c's format, got ${version}: ${path}; write the file anew`,
      { file: path, offset: 4 },
    );
  }
  const expected = HEADER_BYTES + tokens * bytesPerToken;
  if (tokens < 1 || size !== expected) {
    const what = tokens < 1 ? 'nothing' : size < expected ? 'a truncated file' : 'more than the header says';
    throw new DataError(
      `reading tokens: the header of ${path} announces ${tokens} tokens (${expected} bytes), got ${what} (${size} bytes); write the file anew`,
      { file: path, offset: Math.min(size, Math.max(0, expected)) },
    );
  }
  return { path, bytesPerToken, headerBytes: HEADER_BYTES, tokens };
}

/**
 * Ids `start … start+count-1` of the file.
 *
 * @throws DataError when the file ends before: it was changed since it was inspected
 */
export async function readTokens(
  file: TokenFile,
  handle: FileHandle,
  start: number,
  count: number,
): Promise<Uint16Array | Uint32Array> {
  const bytes = Buffer.from(new ArrayBuffer(count * file.bytesPerToken));
  const first = file.headerBytes + start * file.bytesPerToken;
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, first + done).catch((error) => {
      throw fileFailure('cannot read', file.path, error);
    });
    if (bytesRead === 0) {
      throw new DataError(
        `reading tokens: ${file.path} ends at byte ${first + done}, expected ${file.tokens} tokens; it was changed while in use`,
        { file: file.path, offset: first + done },
      );
    }
    done += bytesRead;
  }
  return fromLittleEndian(bytes, file.bytesPerToken);
}

/** @throws DataError when the file cannot be opened */
export async function openFile(path: string): Promise<FileHandle> {
  return open(path, 'r').catch((error) => {
    throw fileFailure('cannot read', path, error);
  });
}

function fromLittleEndian(bytes: Buffer, bytesPerToken: 2 | 4): Uint16Array | Uint32Array {
  if (endianness() === 'BE') bytesPerToken === 2 ? bytes.swap16() : bytes.swap32();
  return bytesPerToken === 2
    ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
    : new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

/** The ids as the bytes of a file. */
export function toLittleEndian(ids: Uint16Array | Uint32Array): Uint8Array {
  const bytes = Buffer.from(ids.slice().buffer);
  if (endianness() === 'BE') ids.BYTES_PER_ELEMENT === 2 ? bytes.swap16() : bytes.swap32();
  return bytes;
}
