import { OptionError } from '@xlstm/device';

/**
 * Something of known size that is read by ranges: a file, a blob, bytes in memory. Everything in this package reads
 * through it, and only what it needs.
 *
 * `read` rejects with an `OptionError` for a range outside 0..size, a `CheckpointError` when the bytes are no longer
 * there, a `DisposedError` after `close`, and with `signal.reason` when aborted.
 */
export interface ByteSource {
  /** The plain file name, without folders: checkpoint layouts are found by it, and errors name it. */
  readonly name: string;
  readonly size: number;
  /** How many bytes have been read so far; a test or a progress bar watches it. */
  readonly bytesRead: number;
  /** The bytes at offset..offset+length. They may be a view of the source's own memory: do not write to them. */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** As `read`, into memory that the caller owns and reuses; sources that can only allocate leave it out. */
  readInto?(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Throws an `OptionError` unless offset..offset+length lies within `size`. */
export function checkRange(operation: string, name: string, size: number, offset: number, length: number): void {
  const sound = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!sound || offset + length > size) {
    throw new OptionError(
      `${operation}: range must lie within the ${size} bytes of ${name}, got offset ${offset}, length ${length}; pass whole numbers with offset + length <= ${size}`,
    );
  }
}

/** Fills `target` from `offset`, without a second buffer where the source allows. */
export async function readInto(
  source: ByteSource,
  offset: number,
  target: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  if (source.readInto) await source.readInto(offset, target, signal);
  else target.set(await source.read(offset, target.byteLength, signal));
}
