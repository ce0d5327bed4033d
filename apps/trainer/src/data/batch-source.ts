/** One batch of token ids, `[rows, length]` row-major. */
export interface Batch {
  tokens: Int32Array;
  /** For each token the one that follows it; IGNORE (-1) where nothing is to be learned. */
  targets: Int32Array;
  /** `[rows]`: 1 where the row begins a new stream, so that a carried state is forgotten first. */
  restarts: Uint8Array;
}
export const IGNORE = -1;
/** Batches one after another, from a position that can be kept and gone back to. */
export interface BatchSource {
  readonly rows: number;
  readonly length: number;
  next(): Promise<Batch>;
  /** Plain JSON: everything that decides what `next` returns. */
  position(): unknown;
  /** @throws ConfigError when the position is not of this data. */
  seek(position: unknown): Promise<void>;
  close(): Promise<void>;
}
