import { ConfigError } from '@xlstm/device';
import { type Batch, type BatchSource, IGNORE } from './batch-source.ts';
import { DataError } from './data-error.ts';
import { permutation } from './permutation.ts';
import { checkInteger, readPosition } from './positions.ts';
import { Random } from './random.ts';
import type { TokenStream } from './token-stream.ts';

export interface WindowOptions {
  readonly rows: number;
  /** Tokens in a row. */
  readonly length: number;
}

export interface ShuffledOptions extends WindowOptions {
  /** A non-negative safe integer. */
  readonly seed: number;
}

/** Rows without anything in them: tokens 0, nothing to be learned, each row a new stream. */
export function emptyBatch(rows: number, length: number): Batch {
  return {
    tokens: new Int32Array(rows * length),
    targets: new Int32Array(rows * length).fill(IGNORE),
    restarts: new Uint8Array(rows).fill(1),
  };
}

/** A batch of the rows that begin at `starts`, each a new stream. */
export async function readRows(stream: TokenStream, starts: readonly number[], length: number): Promise<Batch> {
  const batch = emptyBatch(starts.length, length);
  const readRow = async (start: number, row: number): Promise<void> => {
    // A row and the token after it.
    const window = new Int32Array(length + 1);
    await stream.read(start, window);
    batch.tokens.set(window.subarray(0, length), row * length);
    batch.targets.set(window.subarray(1), row * length);
  };
  await Promise.all(starts.map(readRow));
  return batch;
}

/** @throws DataError when there is not even one row with the token after it */
export function checkLength(operation: string, stream: TokenStream, least: number, what: string): void {
  if (stream.tokens >= least) return;
  throw new DataError(
    `${operation}: expected at least ${least} tokens, ${what}, got a corpus of ${stream.tokens}; take shorter or fewer sequences, or more text`,
  );
}

/**
 * Windows of the packed stream in random order, each once an epoch and each from an empty state. Consecutive windows
 * share one token, so that each is a target once; where the first window begins is random in each epoch, so that windows
 * differ from epoch to epoch and no token stays at an edge.
 *
 * @param stream closed with the source
 * @throws DataError when the stream is shorter than `length + 1`
 * @throws ConfigError when an option is out of range
 * @example
 * const { tokens, targets } = await shuffledWindows(corpus.stream, { rows: 8, length: 512, seed: 1 }).next();
 */
export function shuffledWindows(stream: TokenStream, options: ShuffledOptions): BatchSource {
  const { rows, length, seed } = options;
  checkInteger('shuffledWindows', 'rows', rows, 1);
  checkInteger('shuffledWindows', 'length', length, 1);
  checkInteger('shuffledWindows', 'seed', seed, 0);
  checkLength('shuffledWindows', stream, length + 1, `one sequence of ${length} and the token after it`);
  const same = { kind: 'shuffledWindows', data: stream.fingerprint, length, seed };

  const order = (epoch: number): { windows: number; startOf: (index: number) => number } => {
    const spare = Math.min(length - 1, stream.tokens - 1 - length);
    const phase = new Random(seed, epoch).below(spare + 1);
    const windows = Math.floor((stream.tokens - 1 - phase) / length);
    const at = permutation(windows, [seed, epoch]);
    return { windows, startOf: (index) => phase + at(index) * length };
  };

  let epoch = 0;
  let index = 0;
  let current = order(0);
  return {
    rows,
    length,
    async next() {
      const starts: number[] = [];
      let at = { epoch, index, current };
      while (starts.length < rows) {
        starts.push(at.current.startOf(at.index));
        at.index++;
        if (at.index === at.current.windows) at = { epoch: at.epoch + 1, index: 0, current: order(at.epoch + 1) };
      }
      const batch = await readRows(stream, starts, length);
      // Only now, so that a failed read leaves the position where it was.
      ({ epoch, index, current } = at);
      return batch;
    },
    position: () => ({ ...same, epoch, index }),
    async seek(position) {
      const read = readPosition(position, same, ['epoch', 'index']);
      const there = order(read.epoch);
      if (read.index >= there.windows) {
        throw new ConfigError(`seek: epoch ${read.epoch} has ${there.windows} windows, got index ${read.index}`);
      }
      ({ epoch, index } = read);
      current = there;
    },
    close: () => stream.close(),
  };
}
