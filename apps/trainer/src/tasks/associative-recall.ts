import { ConfigError } from '@xlstm/device';
import { IGNORE } from '../data/batch-source.ts';
import type { Random } from '../data/random.ts';
import type { Task } from './task.ts';

export interface AssociativeRecallOptions {
  /** Pairs in a sequence (default 8); a sequence has at least four tokens for each. */
  readonly keyValuePairs?: number;
  /** PAD, then keys, then values from the middle on (default 8192). */
  readonly vocabSize?: number;
  /** Exponent of the law by which queries come soon rather than late; 1 is uniform (default 0.01). */
  readonly powerA?: number;
  /** What stands between queries: random ids, or PAD (default true). */
  readonly randomNonQueries?: boolean;
}

/**
 * Multi-query associative recall: keys, each followed by its value, then each key once more as a query, at which the
 * answer is its value. Keys and values of a sequence are distinct. Queries stand at even distances 2g, g drawn without
 * repetition in proportion to `(g+1)^(powerA-1)`.
 *
 * Arora et al., "Zoology" (arXiv 2312.04927); section 4.1 of the xLSTM paper (arXiv 2405.04517).
 *
 * @throws ConfigError when an option is out of range
 * @example
 * associativeRecall({ keyValuePairs: 2, vocabSize: 12, randomNonQueries: false }).example(new Random(1), 12);
 * // tokens  k1 v1 k2 v2  k2 PAD PAD PAD k1 PAD PAD PAD
 * // targets  .  .  .  .  v2  .   .   .  v1  .   .   .
 */
export function associativeRecall(options: AssociativeRecallOptions = {}): Task {
  const { keyValuePairs: pairs = 8, vocabSize = 8192, powerA = 0.01, randomNonQueries = true } = options;
  const firstValue = Math.floor(vocabSize / 2);
  const keys = firstValue - 1;
  if (!Number.isSafeInteger(pairs) || pairs < 1) {
    throw new ConfigError(`associative_recall: key_value_pairs must be an integer of 1 or more, got ${pairs}`);
  }
  if (!Number.isSafeInteger(vocabSize) || keys < pairs) {
    throw new ConfigError(
      `associative_recall: vocab_size must be an integer of at least ${2 * pairs + 2}, so that ${pairs} keys differ, got ${vocabSize}`,
    );
  }
  if (!(powerA > 0 && powerA <= 1)) {
    throw new ConfigError(`associative_recall: power_a must be above 0 and at most 1, got ${powerA}`);
  }

  return {
    name: 'associative_recall',
    options: { keyValuePairs: pairs, vocabSize, powerA, randomNonQueries },
    vocabSize,
    symbol: (id) => (id === 0 ? 'PAD' : id < firstValue ? `key ${id - 1}` : `value ${id - firstValue}`),
    hasLength: (length) => Number.isSafeInteger(length) && length >= 4 * pairs && length % 2 === 0,
    example(random, length) {
      const tokens = new Int32Array(length);
      const targets = new Int32Array(length).fill(IGNORE);
      const queried = 2 * pairs;
      if (randomNonQueries) for (let i = queried; i < length; i++) tokens[i] = 1 + random.below(vocabSize - 1);
      const chosenKeys = distinct(random, pairs, keys);
      const chosenValues = distinct(random, pairs, vocabSize - firstValue);
      const gaps = weightedDistinct(random, pairs, (length - queried) / 2, powerA - 1);
      for (let pair = 0; pair < pairs; pair++) {
        const key = 1 + chosenKeys[pair]!;
        const value = firstValue + chosenValues[pair]!;
        const query = queried + 2 * gaps[pair]!;
        tokens.set([key, value], 2 * pair);
        tokens[query] = key;
        targets[query] = value;
      }
      return { tokens, targets };
    },
  };
}

/** `count` different integers of `0 … n-1` in random order: the beginning of a shuffle, of which only what moved is kept. */
function distinct(random: Random, count: number, n: number): number[] {
  const moved = new Map<number, number>();
  return Array.from({ length: count }, (_, i) => {
    const j = i + random.below(n - i);
    const chosen = moved.get(j) ?? j;
    moved.set(j, moved.get(i) ?? i);
    return chosen;
  });
}

/**
 * `count` different integers of `0 … n-1`, drawn one after another in proportion to `(i+1)^exponent`: the first to ring
 * of n alarms with these rates (Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006).
 */
function weightedDistinct(random: Random, count: number, n: number, exponent: number): number[] {
  const alarms = Array.from({ length: n }, (_, i) => ({
    i,
    time: -Math.log1p(-random.uniform()) * (i + 1) ** -exponent,
  }));
  alarms.sort((a, b) => a.time - b.time || a.i - b.i);
  return alarms.slice(0, count).map((alarm) => alarm.i);
}
