import type { BatchSource } from './batch-source.ts';
import { checkInteger, readPosition } from './positions.ts';
import { checkLength, emptyBatch, type WindowOptions } from './shuffled-windows.ts';
import type { TokenStream } from './token-stream.ts';

export interface ValidationOptions extends WindowOptions {
  /** At most so many batches, of windows spread evenly over the set; left out, all of it. */
  readonly batches?: number | undefined;
}

/** A source with an end; after the last batch the first follows again. */
export interface FiniteSource extends BatchSource {
  readonly batches: number;
}

/**
 * The same windows each time, in order, from an empty state: every token but the first is a target exactly once. What
 * does not fill a row or a batch is filled up with targets of IGNORE.
 *
 * @param stream closed with the source
 * @throws DataError when the stream has less than two tokens
 * @throws ConfigError when an option is out of range
 * @example
 * const validation = validationWindows(corpus.stream, { rows: 8, length: 512 });
 * for (let i = 0; i < validation.batches; i++) await validation.next();
 */
export function validationWindows(stream: TokenStream, options: ValidationOptions): FiniteSource {
  const { rows, length } = options;
  checkInteger('validationWindows', 'rows', rows, 1);
  checkInteger('validationWindows', 'length', length, 1);
  if (options.batches !== undefined) checkInteger('validationWindows', 'batches', options.batches, 1);
  checkLength('validationWindows', stream, 2, 'one and the token after it');

  const windows = Math.ceil((stream.tokens - 1) / length);
  const taken = Math.min(windows, (options.batches ?? Number.POSITIVE_INFINITY) * rows);
  const batches = Math.ceil(taken / rows);
  const same = { kind: 'validationWindows', data: stream.fingerprint, rows, length, batches };

  let index = 0;
  return {
    rows,
    length,
    batches,
    async next() {
      const batch = emptyBatch(rows, length);
      for (let row = 0; row < rows && index * rows + row < taken; row++) {
        // Window 0 always, then evenly on; all of them when all are taken.
        const start = Math.floor(((index * rows + row) * windows) / taken) * length;
        const window = new Int32Array(Math.min(length, stream.tokens - 1 - start) + 1);
        await stream.read(start, window);
        batch.tokens.set(window.subarray(0, -1), row * length);
        batch.targets.set(window.subarray(1), row * length);
      }
      index = (index + 1) % batches;
      return batch;
    },
    position: () => ({ ...same, index }),
    async seek(position) {
      const read = readPosition(position, same, ['index']);
      index = read.index % batches;
    },
    close: () => stream.close(),
  };
}
