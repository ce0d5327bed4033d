import { XlstmError } from '@xlstm/device';
import { InputOutputError } from '../failures.ts';
import { availableBytes } from './out-folder.ts';

/** Small files, the journal and what a file system keeps for itself. */
const SPARE_BYTES = 256 * 1024;

/** What the message about a full disk says beside the numbers. */
export interface RoomFor {
  out: string;
  file: string;
  /** Bytes of the file. */
  bytes: number;
  finished: number;
  shards: number;
}

function noRoom({ out, file, finished, shards, bytes }: RoomFor, needed: number, available: number, cause?: unknown) {
  const rest = needed > bytes ? ` (${needed} with all that follow)` : '';
  return new InputOutputError(
    `convert: no room for ${file} in ${out}: ${bytes} bytes are needed${rest}, ${available} are available; make room and run the same command again, which goes on after the ${finished} of ${shards} files that are finished`,
    { cause },
  );
}

/** @throws InputOutputError when a file, or all that are left, do not fit. */
export async function requireRoom(place: RoomFor, remainingBytes: number): Promise<void> {
  const available = await availableBytes(place.out);
  const needed = remainingBytes + SPARE_BYTES;
  if (needed > available) throw noRoom(place, needed, available);
}

const FULL = ['ENOSPC', 'EDQUOT', 'EFBIG'];

/** What a failed write means; typed errors pass. */
export async function writeFailure(error: unknown, place: RoomFor): Promise<unknown> {
  if (error instanceof XlstmError) return error;
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (code === undefined) return error;
  if (FULL.includes(code)) {
    return noRoom(place, place.bytes, await availableBytes(place.out).catch(() => 0), error);
  }
  return new InputOutputError(
    `convert: cannot write ${place.file} in ${place.out}: ${(error as Error).message}; check the folder, then run the same command again, which goes on after the ${place.finished} of ${place.shards} files that are finished`,
    { cause: error },
  );
}
