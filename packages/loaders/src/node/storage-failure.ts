import { reason } from '../transfer/reason.ts';
import { TransferError } from '../transfer/transfer-error.ts';

/** The error code that a system call ended in, such as ENOENT. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as Error & { code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** What a failure of the cache folder means and what to do about it. */
export function storageFailure(error: unknown, folder: string, doing: string): Error {
  if (error instanceof TransferError) return error;
  const options = { cause: error };
  switch (systemCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new TransferError(
        'disk-full',
        `resolveModel: no room left in ${folder} while ${doing}: ${reason(error)}; free some space, or name another folder with cacheDir or HF_HOME; the download goes on from there`,
        options,
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new TransferError(
        'read-only',
        `resolveModel: ${folder} may not be written (${reason(error)}); make it writable, or name another folder with cacheDir or HF_HOME`,
        options,
      );
    default:
      return new TransferError(
        'cache',
        `resolveModel: the cache folder ${folder} failed while ${doing}: ${reason(error)}; check it, or name another folder with cacheDir or HF_HOME`,
        options,
      );
  }
}
