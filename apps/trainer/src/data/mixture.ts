import { ConfigError } from '@xlstm/device';
import type { Batch, BatchSource } from './batch-source.ts';
import { checkInteger, readPosition } from './positions.ts';
import { Random } from './random.ts';
import { emptyBatch } from './shuffled-windows.ts';

export interface MixturePart {
  /** Of one row: each row of the mixture is the next of one part. */
  readonly source: BatchSource;
  /** In proportion to the others; positive. */
  readonly weight: number;
}

/**
 * Each row comes from one of several sources, drawn by weight; the draws are a function of seed and row number. For rows
 * that begin anew: a row of a carried state must stay with its source, for which see `sideBySide`.
 *
 * @param parts closed with the mixture
 * @throws ConfigError when a weight is not positive, or the parts differ in length or have more than one row
 * @example
 * const parts = streams.map((stream) => ({ source: shuffledWindows(stream, { rows: 1, length: 512, seed: 1 }), weight: 1 }));
 * const mixed = weightedMixture(parts, { rows: 8, seed: 1 });
 */
export function weightedMixture(
  parts: readonly MixturePart[],
  options: { readonly rows: number; readonly seed: number },
): BatchSource {
  const { rows, seed } = options;
  checkInteger('weightedMixture', 'rows', rows, 1);
  checkInteger('weightedMixture', 'seed', seed, 0);
  const sources = parts.map((part) => part.source);
  const length = commonLength('weightedMixture', sources);
  if (sources.some((source) => source.rows !== 1)) {
    throw new ConfigError(`weightedMixture: parts must have one row, got ${sources.map((source) => source.rows)}`);
  }
  const shares = sharesOf(
    'weightedMixture',
    parts.map((part) => part.weight),
  );
  const same = { kind: 'weightedMixture', seed, shares: JSON.stringify(shares) };

  let drawn = 0;
  return {
    rows,
    length,
    async next() {
      const before = sources.map((source) => source.position());
      const batch = emptyBatch(rows, length);
      try {
        for (let row = 0; row < rows; row++) {
          const one = await sources[draw(shares, new Random(seed, drawn + row).uniform())]!.next();
          copyRows(one, batch, row, length);
        }
      } catch (error) {
        await Promise.all(sources.map((source, i) => source.seek(before[i])));
        throw error;
      }
      drawn += rows;
      return batch;
    },
    position: () => ({ ...same, drawn, parts: sources.map((source) => source.position()) }),
    async seek(position) {
      const read = readPosition(position, same, ['drawn']);
      await seekAll('weightedMixture', sources, position);
      drawn = read.drawn;
    },
    close: () => closeAll(sources),
  };
}

/**
 * The rows of several sources in one batch, each row always of the same source: the mixture for carried states. Give
 * each source as many rows as `apportionRows` says.
 *
 * @param sources of equal length, closed with this one
 * @throws ConfigError when the lengths differ
 */
export function sideBySide(sources: readonly BatchSource[]): BatchSource {
  const length = commonLength('sideBySide', sources);
  const rows = sources.reduce((sum, source) => sum + source.rows, 0);
  return {
    rows,
    length,
    async next() {
      const before = sources.map((source) => source.position());
      const results = await Promise.allSettled(sources.map((source) => source.next()));
      const failed = results.find((result) => result.status === 'rejected');
      if (failed) {
        await Promise.all(sources.map((source, i) => source.seek(before[i])));
        throw failed.reason;
      }
      const batch = emptyBatch(rows, length);
      let row = 0;
      for (const result of results) {
        const part = (result as PromiseFulfilledResult<Batch>).value;
        copyRows(part, batch, row, length);
        row += part.restarts.length;
      }
      return batch;
    },
    position: () => ({ kind: 'sideBySide', parts: sources.map((source) => source.position()) }),
    async seek(position) {
      readPosition(position, { kind: 'sideBySide' }, []);
      await seekAll('sideBySide', sources, position);
    },
    close: () => closeAll(sources),
  };
}

/**
 * Rows for each weight, as near to proportion as whole rows can be (largest remainders), at least one each.
 *
 * @throws ConfigError when there are too few rows for a weight to get one
 * @example
 * apportionRows(8, [3, 1]); // [6, 2]
 */
export function apportionRows(rows: number, weights: readonly number[]): number[] {
  checkInteger('apportionRows', 'rows', rows, 1);
  const exact = sharesOf('apportionRows', weights).map((share) => share * rows);
  const given = exact.map(Math.floor);
  const byRemainder = exact.map((_, i) => i).sort((a, b) => exact[b]! - given[b]! - (exact[a]! - given[a]!) || a - b);
  const left = rows - given.reduce((sum, count) => sum + count, 0);
  for (const i of byRemainder.slice(0, left)) given[i]!++;
  const none = given.indexOf(0);
  if (none >= 0) {
    throw new ConfigError(
      `apportionRows: weight ${weights[none]} of ${JSON.stringify(weights)} gets none of ${rows} rows; take more rows, a larger weight, or shuffled packing`,
    );
  }
  return given;
}

function sharesOf(operation: string, weights: readonly number[]): number[] {
  const wrong = weights.find((weight) => !(weight > 0 && weight < Number.POSITIVE_INFINITY));
  if (wrong !== undefined || weights.length === 0) {
    throw new ConfigError(`${operation}: weights must be positive numbers, got ${wrong ?? 'none'}`);
  }
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

function draw(shares: readonly number[], uniform: number): number {
  let below = 0;
  for (let i = 0; i < shares.length - 1; i++) {
    below += shares[i]!;
    if (uniform < below) return i;
  }
  return shares.length - 1;
}

function commonLength(operation: string, sources: readonly BatchSource[]): number {
  const length = sources[0]?.length;
  if (length === undefined || sources.some((source) => source.length !== length)) {
    const lengths = sources.map((source) => source.length).join(', ') || 'none';
    throw new ConfigError(`${operation}: expected sources of one length, got ${lengths}`);
  }
  return length;
}

function copyRows(from: Batch, to: Batch, row: number, length: number): void {
  to.tokens.set(from.tokens, row * length);
  to.targets.set(from.targets, row * length);
  to.restarts.set(from.restarts, row);
}

/** All or none: where one refuses, the others go back. */
async function seekAll(operation: string, sources: readonly BatchSource[], position: unknown): Promise<void> {
  const parts = (position as { parts?: unknown }).parts;
  if (!Array.isArray(parts) || parts.length !== sources.length) {
    throw new ConfigError(`seek: ${operation} has ${sources.length} sources, the position is of other data`);
  }
  const before = sources.map((source) => source.position());
  try {
    for (const [i, source] of sources.entries()) await source.seek(parts[i]);
  } catch (error) {
    for (const [i, source] of sources.entries()) await source.seek(before[i]);
    throw error;
  }
}

async function closeAll(sources: readonly BatchSource[]): Promise<void> {
  for (const source of sources) await source.close();
}
