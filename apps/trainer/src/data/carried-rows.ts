import type { BatchSource } from './batch-source.ts';
import { checkInteger, readPosition } from './positions.ts';
import { Random } from './random.ts';
import { checkLength, readRows, type ShuffledOptions } from './shuffled-windows.ts';
import type { TokenStream } from './token-stream.ts';

export interface CarriedSource extends BatchSource {
  /** Batches until every row begins anew. */
  readonly batchesPerEpoch: number;
}

/**
 * Rows that walk on through the stream, each through a part of its own, for a model that carries its states from batch
 * to batch (truncated backpropagation through time). All rows begin anew together, `restarts` being 1 in that batch;
 * where they begin is random in each epoch within what does not fill a batch, so that no token is always left out.
 *
 * @param stream closed with the source
 * @throws DataError when the stream does not hold one sequence for each row
 * @throws ConfigError when an option is out of range
 * @example
 * const { tokens, restarts } = await carriedRows(corpus.stream, { rows: 8, length: 512, seed: 1 }).next();
 */
export function carriedRows(stream: TokenStream, options: ShuffledOptions): CarriedSource {
  const { rows, length, seed } = options;
  checkInteger('carriedRows', 'rows', rows, 1);
  checkInteger('carriedRows', 'length', length, 1);
  checkInteger('carriedRows', 'seed', seed, 0);
  checkLength('carriedRows', stream, rows * length + 1, `one sequence of ${length} for each of ${rows} rows`);
  const same = { kind: 'carriedRows', data: stream.fingerprint, rows, length, seed };

  const part = Math.floor((stream.tokens - 1) / rows);
  const batchesPerEpoch = Math.floor(part / length);
  const spare = part - batchesPerEpoch * length;
  // What is left when the stream is divided among the rows comes in too.
  const remainder = stream.tokens - 1 - part * rows;

  let step = 0;
  return {
    rows,
    length,
    batchesPerEpoch,
    async next() {
      const epoch = Math.floor(step / batchesPerEpoch);
      const within = step % batchesPerEpoch;
      const phase = new Random(seed, epoch).below(spare + remainder + 1);
      const starts = Array.from({ length: rows }, (_, row) => phase + row * part + within * length);
      const batch = await readRows(stream, starts, length);
      batch.restarts.fill(within === 0 ? 1 : 0);
      step++;
      return batch;
    },
    position: () => ({ ...same, step }),
    async seek(position) {
      ({ step } = readPosition(position, same, ['step']));
    },
    close: () => stream.close(),
  };
}
