import { XlstmError } from '@xlstm/device';

/** Where in the training data something is wrong. */
export interface DataPlace {
  readonly file?: string | undefined;
  /** Byte in the file, from 0. */
  readonly offset?: number | undefined;
  /** Line in the file, from 1. */
  readonly line?: number | undefined;
  readonly cause?: unknown;
}

/** Training data that is missing, damaged, too short, or not what it was said to be. */
export class DataError extends XlstmError {
  override name = 'DataError';
  readonly file: string | undefined;
  readonly offset: number | undefined;
  readonly line: number | undefined;

  constructor(message: string, place: DataPlace = {}) {
    super(message, place.cause === undefined ? undefined : { cause: place.cause });
    this.file = place.file;
    this.offset = place.offset;
    this.line = place.line;
  }
}

/** A failure of the file system, said with what was being done; errors that are ours already, and aborts, pass through. */
export function fileFailure(doing: string, file: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (typeof code !== 'string' || error instanceof XlstmError || (error as Error).name === 'AbortError') return error;
  return new DataError(`${doing} ${file}: ${reason(code, (error as Error).message)}`, { file, cause: error });
}

function reason(code: string, message: string): string {
  if (code === 'ENOENT') return 'there is no such file; correct the path';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied; give this user access to it';
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'the disk is full; free some space and run again';
  if (code === 'EISDIR') return 'it is a folder, a file was expected';
  return message;
}
