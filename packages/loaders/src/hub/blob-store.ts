import type { ByteSource } from '../byte-source/byte-source.ts';

/**
 * Where the downloads of one model are kept: the seam between the hub client and a folder on disk or a browser's
 * private files. Blobs are named by their content's hash; a snapshot (one commit) gives them file names.
 */
export interface BlobStore {
  /** For messages, such as the folder's path. */
  readonly place: string;
  /** The commit that a revision stood for when it was last brought here. */
  readRef(revision: string): Promise<string | undefined>;
  writeRef(revision: string, commit: string): Promise<void>;
  /** Names of the snapshot's files whose bytes are there. */
  list(commit: string): Promise<string[]>;
  /** The size of a snapshot's file; undefined where it is not there. */
  fileSize(commit: string, name: string): Promise<number | undefined>;
  /** The size of a blob; undefined where it is not there, whole. */
  blobSize(blob: string): Promise<number | undefined>;
  openFile(commit: string, name: string): Promise<ByteSource>;
  openBlob(blob: string): Promise<ByteSource>;
  /** Gives a blob a name in a snapshot, at once and over what was there. */
  link(commit: string, name: string, blob: string): Promise<void>;
  /** Runs `work` while no other process, tab or call writes this blob. */
  exclusively<T>(blob: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T>;
  /** A download that has begun, or a new one. */
  openPartial(blob: string): Promise<PartialBlob>;
  /** How much of a download is there already. */
  partialSize(blob: string): Promise<number>;
  /** Throws a TransferError when so much does not fit any more. */
  checkRoom(bytes: number): Promise<void>;
  hasher(algorithm: HashAlgorithm): Promise<Hasher>;
  /** Forgets the model. */
  clear(): Promise<void>;
}

export type HashAlgorithm = 'sha1' | 'sha256';

export interface Hasher {
  update(bytes: Uint8Array): unknown;
  hex(): string;
}

/** A blob that is being written; nobody sees it before `publish`. */
export interface PartialBlob {
  readonly size: number;
  /** Appends. */
  write(bytes: Uint8Array): Promise<void>;
  restart(): Promise<void>;
  /** Sees to it that the bytes outlast a crash, and gives them back for a check. */
  sealed(): Promise<ByteSource>;
  /** The blob appears, whole. */
  publish(): Promise<void>;
  /** Lets go; what is there stays for the next `openPartial`. After `publish` this does nothing. */
  close(): Promise<void>;
}
