import { CheckpointError } from '@xlstm/device';

/** What kept a file from arriving, for programs that act on it. */
export type TransferErrorCode =
  /** No such model, file or address. */
  | 'not-found'
  /** The model exists; the revision does not. */
  | 'revision-not-found'
  /** Its author asks for terms to be accepted first. */
  | 'gated'
  /** The token is missing, wrong or not allowed to read this. */
  | 'unauthorized'
  /** Offline was asked for and the cache lacks files. */
  | 'offline'
  /** The network failed again and again. */
  | 'network'
  /** The server asks for a longer wait than is allowed. */
  | 'busy'
  /** The file became another one on the way. */
  | 'changed'
  /** The bytes are not those that were promised. */
  | 'corrupt'
  /** The server gives only whole files. */
  | 'no-ranges'
  /** The server's answer makes no sense here. */
  | 'protocol'
  /** The cache may not be written. */
  | 'read-only'
  /** The disk has no room. */
  | 'disk-full'
  /** The browser grants no such room. */
  | 'quota'
  /** The cache failed in another way. */
  | 'cache';

/** A model or file that could not be brought here; `code` says why, the message says what to do. */
export class TransferError extends CheckpointError {
  override name = 'TransferError';
  readonly code: TransferErrorCode;

  constructor(code: TransferErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
