import { ConfigError } from '@xlstm/device';
import { IGNORE } from '../data/batch-source.ts';
import type { Random } from '../data/random.ts';
import type { Example, Task } from './task.ts';

/**
 * The state-tracking tasks of the xLSTM paper (arXiv 2405.04517, section 4.1), after Delétang et al., "Neural Networks
 * and the Chomsky Hierarchy" (arXiv 2207.02098). The answer is due at the last symbol that is read; every symbol is
 * drawn uniformly.
 */

/** Bits; whether the number of ones is odd. */
export function parity(): Task {
  const symbols = ['PAD', '0', '1'];
  return formalLanguage('parity', symbols, {}, 1, (random, tokens) => {
    let odd = 0;
    for (let i = 0; i < tokens.length; i++) {
      const bit = random.below(2);
      odd ^= bit;
      tokens[i] = 1 + bit;
    }
    return 1 + odd;
  });
}

/** Letters a and b; `a` when the number of places with ab or ba is even, which is when first and last agree, else `b`. */
export function evenPairs(): Task {
  const symbols = ['PAD', 'a', 'b'];
  return formalLanguage('even_pairs', symbols, {}, 2, (random, tokens) => {
    for (let i = 0; i < tokens.length; i++) tokens[i] = 1 + random.below(2);
    return tokens[0] === tokens.at(-1) ? 1 : 2;
  });
}

/** Steps 0, +1, -1 on a cycle of `cycleSize` places (default 5) from place 0; the place at the end. */
export function cycleNavigation({ cycleSize = 5 }: { readonly cycleSize?: number } = {}): Task {
  checkSize('cycle_navigation', 'cycle_size', cycleSize);
  const steps = ['stay', '+1', '-1'];
  const symbols = ['PAD', ...steps, ...numbered('place ', cycleSize)];
  return formalLanguage('cycle_navigation', symbols, { cycleSize }, 1, (random, tokens) => {
    let place = 0;
    for (let i = 0; i < tokens.length; i++) {
      const step = random.below(3);
      place += [0, 1, cycleSize - 1][step]!;
      tokens[i] = 1 + step;
    }
    return 1 + steps.length + (place % cycleSize);
  });
}

/**
 * Numbers below `modulus` (default 5) with +, - and * between them and = at the end, without brackets, * before the
 * others; the value modulo `modulus`. Lengths are even: n numbers, n-1 signs, =.
 */
export function modularArithmetic({ modulus = 5 }: { readonly modulus?: number } = {}): Task {
  checkSize('modular_arithmetic', 'modulus', modulus);
  const [PLUS, MINUS, TIMES, EQUALS] = [1, 2, 3, 4] as const;
  const symbols = ['PAD', '+', '-', '*', '=', ...numbered('', modulus)];
  const firstNumber = symbols.length - modulus;
  const task = formalLanguage('modular_arithmetic', symbols, { modulus }, 2, (random, tokens) => {
    let sum = 0;
    let product = 1;
    let sign: number = PLUS;
    for (let i = 0; i < tokens.length; i += 2) {
      const number = random.below(modulus);
      product = (product * number) % modulus;
      tokens[i] = firstNumber + number;
      const next = i + 2 === tokens.length ? EQUALS : PLUS + random.below(3);
      tokens[i + 1] = next;
      if (next === TIMES) continue;
      sum = (sum + (sign === MINUS ? modulus - product : product)) % modulus;
      product = 1;
      sign = next;
    }
    return firstNumber + sum;
  });
  return { ...task, hasLength: (length) => task.hasLength(length) && length % 2 === 0 };
}

function formalLanguage(
  name: string,
  symbols: readonly string[],
  options: Task['options'],
  shortest: number,
  fill: (random: Random, tokens: Int32Array) => number,
): Task {
  return {
    name,
    options,
    vocabSize: symbols.length,
    symbol: (id) => symbols[id] ?? `unknown id ${id}`,
    hasLength: (length) => Number.isSafeInteger(length) && length >= shortest,
    example(random, length): Example {
      const tokens = new Int32Array(length);
      const targets = new Int32Array(length).fill(IGNORE);
      targets[length - 1] = fill(random, tokens);
      return { tokens, targets };
    },
  };
}

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

function checkSize(task: string, option: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 2 && value <= 65536) return;
  throw new ConfigError(`${task}: ${option} must be an integer of 2 … 65536, got ${value}`);
}
