import { open } from 'node:fs/promises';
import { DataError, fileFailure } from './data-error.ts';

export interface ReadTextOptions {
  readonly signal?: AbortSignal | undefined;
  /** Each run of bytes as it comes from the file, before it is decoded. */
  readonly onBytes?: ((bytes: Uint8Array) => void) | undefined;
  /** Bytes read at once. */
  readonly chunkBytes?: number | undefined;
}

const CHUNK = 1024 * 1024;

/**
 * The text of a UTF-8 file in runs of about a mebibyte, without a byte-order mark.
 *
 * @throws DataError with file and offset at the first NUL byte or byte that is not UTF-8: the file is not text.
 */
export async function* readText(file: string, options: ReadTextOptions = {}): AsyncGenerator<string> {
  const chunkBytes = options.chunkBytes ?? CHUNK;
  const buffer = new Uint8Array(chunkBytes + 4);
  const handle = await open(file, 'r').catch((error) => {
    throw fileFailure('cannot read', file, error);
  });
  try {
    let carried = 0;
    for (let offset = 0; ; ) {
      options.signal?.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, carried, chunkBytes, null).catch((error) => {
        throw fileFailure('cannot read', file, error);
      });
      options.onBytes?.(buffer.subarray(carried, carried + bytesRead));
      const available = carried + bytesRead;
      const bytes = buffer.subarray(0, bytesRead === 0 ? available : wholeCharacters(buffer, available));
      if (bytes.length > 0) yield decode(bytes, file, offset);
      if (bytesRead === 0) return;
      buffer.copyWithin(0, bytes.length, available);
      carried = available - bytes.length;
      offset += bytes.length;
    }
  } finally {
    await handle.close();
  }
}

function decode(bytes: Uint8Array, file: string, offset: number): string {
  const zero = bytes.indexOf(0);
  if (zero >= 0) throw notText(file, offset + zero, 'a NUL byte');
  try {
    // Only the first run of a file may begin with a byte-order mark; elsewhere U+FEFF is a character.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: offset > 0 }).decode(bytes);
  } catch {
    const at = firstInvalid(bytes);
    throw notText(file, offset + at, `byte 0x${bytes[at]!.toString(16).padStart(2, '0')} is not UTF-8`);
  }
}

function notText(file: string, offset: number, what: string): DataError {
  return new DataError(
    `reading text: expected UTF-8 text, got a binary file or another encoding: ${file}, ${what} at offset ${offset}; leave the file out or convert it to UTF-8`,
    { file, offset },
  );
}

/** Bytes of a sequence that begins with `lead`; 0 when none does. */
function sequenceBytes(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}

/** How many of the first `length` bytes end with a whole character; a damaged end counts as whole and fails in `decode`. */
function wholeCharacters(bytes: Uint8Array, length: number): number {
  for (let back = 1; back <= Math.min(3, length); back++) {
    const byte = bytes[length - back]!;
    if (byte >= 0xc0) return sequenceBytes(byte) > back ? length - back : length;
    if (byte < 0x80) return length;
  }
  return length;
}

/** Index of the first byte that does not belong to well-formed UTF-8 (Unicode standard, table 3-7). */
function firstInvalid(bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; ) {
    const lead = bytes[i]!;
    const length = sequenceBytes(lead);
    if (length === 0 || i + length > bytes.length) return i;
    // The second byte decides over overlong forms, surrogates and what lies beyond U+10FFFF.
    const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (length > 1 && (bytes[i + 1]! < low || bytes[i + 1]! > high)) return i;
    for (let k = 2; k < length; k++) if ((bytes[i + k]! & 0xc0) !== 0x80) return i;
    i += length;
  }
  throw new Error('firstInvalid: the bytes are well-formed');
}
