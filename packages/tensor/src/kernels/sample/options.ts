import { OptionError } from '@xlstm/device';

/** How a token is chosen from logits. Filters apply in the order of README.md: penalty, temperature, k, p, min-p. */
export interface SamplingOptions {
  /** Divides the logits; 0 takes the most probable token. Default 1. */
  temperature?: number | undefined;
  /** Keeps the k most probable tokens (and what ties with the last); 0, the default, keeps all. */
  topK?: number | undefined;
  /** Keeps the smallest set of most probable tokens that holds this much probability; 1, the default, keeps all. */
  topP?: number | undefined;
  /** Keeps tokens at least this probable relative to the most probable one; 0, the default, keeps all. */
  minP?: number | undefined;
  /** Divides positive and multiplies negative logits of tokens seen before; 1, the default, leaves them. */
  repetitionPenalty?: number | undefined;
  /** Makes draws repeatable: up to 64 bits. By default, each launch (or recorded program) draws its own. */
  seed?: number | bigint | undefined;
}

/** Sampling options with defaults filled in. */
export interface CheckedSamplingOptions {
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  repetitionPenalty: number;
  seed: bigint | undefined;
}

const NAMES = ['temperature', 'topK', 'topP', 'minP', 'repetitionPenalty', 'seed'] as const;

/** Edits (insert, delete, replace a letter) from one word to another. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The known option nearest to a name, letter case and separators aside. */
function nearestName(name: string): string {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z]/g, '');
  const distances = NAMES.map((known) => editDistance(plain(name), plain(known)));
  return NAMES[distances.indexOf(Math.min(...distances))]!;
}

function refuse(operation: string, name: string, expected: string, value: unknown): never {
  const shown = typeof value === 'string' ? `"${value}"` : String(value);
  throw new OptionError(`${operation}: ${name} must be ${expected}, got ${shown}`);
}

/**
 * Checks sampling options and fills in their defaults.
 *
 * @param operation named in errors
 * @throws OptionError for a value outside its range or an unknown option, naming the nearest known one.
 * @example
 * ```ts
 * const { temperature } = checkSamplingOptions('generate', { topP: 0.9 }) // 1
 * ```
 */
export function checkSamplingOptions(operation: string, options: SamplingOptions): CheckedSamplingOptions {
  for (const name of Object.keys(options)) {
    if (!(NAMES as readonly string[]).includes(name)) {
      throw new OptionError(
        `${operation}: unknown option "${name}", did you mean "${nearestName(name)}"? The options are ${NAMES.join(', ')}`,
      );
    }
  }
  const { temperature = 1, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1, seed } = options;
  if (!(Number.isFinite(temperature) && temperature >= 0)) {
    refuse(operation, 'temperature', 'a finite number from 0 (greedy) up', temperature);
  }
  if (!(Number.isSafeInteger(topK) && topK >= 0)) refuse(operation, 'topK', 'an integer from 0 (off) up', topK);
  if (!(Number.isFinite(topP) && topP > 0 && topP <= 1)) {
    refuse(operation, 'topP', 'above 0 and at most 1 (off)', topP);
  }
  if (!(Number.isFinite(minP) && minP >= 0 && minP <= 1)) refuse(operation, 'minP', 'between 0 (off) and 1', minP);
  if (!(Number.isFinite(repetitionPenalty) && repetitionPenalty > 0)) {
    refuse(operation, 'repetitionPenalty', 'a finite number above 0, 1 for off', repetitionPenalty);
  }
  const seedFits =
    seed === undefined ||
    (typeof seed === 'bigint' ? seed >= 0n && seed < 2n ** 64n : Number.isSafeInteger(seed) && seed >= 0);
  if (!seedFits) refuse(operation, 'seed', 'a safe integer from 0 up, or a bigint below 2^64', seed);
  return { temperature, topK, topP, minP, repetitionPenalty, seed: seed === undefined ? undefined : BigInt(seed) };
}
