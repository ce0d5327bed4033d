import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IGNORE } from '../data/batch-source.ts';
import { Random } from '../data/random.ts';
import { createTask, TASK_NAMES, type TaskOptions } from './create-task.ts';
import type { Task } from './task.ts';

/** The only answer of an example and the symbols read, all as text. */
function solved(task: Task, seed: number, length: number): { read: string[]; answer: string } {
  const { tokens, targets } = task.example(new Random(seed), length);
  expect(tokens.length).toBe(length);
  expect([...targets.subarray(0, -1)].every((target) => target === IGNORE)).toBe(true);
  expect([...tokens].every((id) => id > 0 && id < task.vocabSize)).toBe(true);
  return { read: [...tokens].map(task.symbol), answer: task.symbol(targets[length - 1]!) };
}

const seeds = fc.maxSafeNat();

describe('answers agree with another way to find them', () => {
  test('parity', () => {
    const task = createTask('parity');
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 300 }), (seed, length) => {
        const { read, answer } = solved(task, seed, length);
        expect(answer).toBe(read.filter((symbol) => symbol === '1').length % 2 === 1 ? '1' : '0');
      }),
    );
  });

  test('even pairs, by counting the pairs', () => {
    const task = createTask('even_pairs');
    fc.assert(
      fc.property(seeds, fc.integer({ min: 2, max: 300 }), (seed, length) => {
        const { read, answer } = solved(task, seed, length);
        const pairs = read.join('').match(/(?<=a)b|(?<=b)a/g)?.length ?? 0;
        expect(answer).toBe(pairs % 2 === 0 ? 'a' : 'b');
      }),
    );
  });

  test('cycle navigation, by turning a ring', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 2, max: 9 }),
        (seed, length, cycleSize) => {
          const { read, answer } = solved(createTask('cycle_navigation', { cycleSize }), seed, length);
          const ring = Array.from({ length: cycleSize }, (_, place) => `place ${place}`);
          for (const step of read) {
            if (step === '+1') ring.push(ring.shift()!);
            else if (step === '-1') ring.unshift(ring.pop()!);
            else expect(step).toBe('stay');
          }
          expect(answer).toBe(ring[0]);
        },
      ),
    );
  });

  test('modular arithmetic, by whole numbers of any size', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 128 }), fc.integer({ min: 2, max: 13 }), (seed, half, modulus) => {
        const { read, answer } = solved(createTask('modular_arithmetic', { modulus }), seed, 2 * half);
        const text = read.join('');
        expect(text).toMatch(/^\d+([+*-]\d+)*=$/);
        let value = 0n;
        for (const [term] of text.matchAll(/[+-]?[\d*]+/g)) {
          const product = term
            .replace(/^[+-]/, '')
            .split('*')
            .map(BigInt)
            .reduce((a, b) => a * b);
          value += term.startsWith('-') ? -product : product;
        }
        const m = BigInt(modulus);
        expect(answer).toBe(String(((value % m) + m) % m));
      }),
    );
  });

  test('associative recall, by looking each query up', () => {
    const shapes = fc.record({
      seed: seeds,
      keyValuePairs: fc.integer({ min: 1, max: 20 }),
      moreVocabulary: fc.nat(100),
      moreLength: fc.nat(60),
      powerA: fc.constantFrom(0.01, 0.1, 1),
      randomNonQueries: fc.boolean(),
    });
    fc.assert(
      fc.property(shapes, ({ seed, keyValuePairs, moreVocabulary, moreLength, powerA, randomNonQueries }) => {
        const vocabSize = 2 * keyValuePairs + 2 + moreVocabulary;
        const task = createTask('associative_recall', { keyValuePairs, vocabSize, powerA, randomNonQueries });
        const length = 4 * keyValuePairs + 2 * moreLength;
        const { tokens, targets } = task.example(new Random(seed), length);
        const memory = new Map<number, number>();
        for (let i = 0; i < 2 * keyValuePairs; i += 2) {
          memory.set(tokens[i]!, tokens[i + 1]!);
          expect(task.symbol(tokens[i]!)).toMatch(/^key/);
          expect(task.symbol(tokens[i + 1]!)).toMatch(/^value/);
          expect([targets[i], targets[i + 1]]).toEqual([IGNORE, IGNORE]);
        }
        expect(memory.size).toBe(keyValuePairs);
        expect(new Set(memory.values()).size).toBe(keyValuePairs);
        const queried: number[] = [];
        for (let i = 2 * keyValuePairs; i < length; i++) {
          if (targets[i] === IGNORE) {
            expect(tokens[i] === 0).toBe(!randomNonQueries);
            continue;
          }
          expect(targets[i]).toBe(memory.get(tokens[i]!));
          queried.push(tokens[i]!);
        }
        expect(queried.sort()).toEqual([...memory.keys()].sort());
        expect(Math.max(...tokens)).toBeLessThan(vocabSize);
      }),
    );
  });
});

/** Share of each answer over many sequences. */
function shares(task: Task, length: number, draws: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let seed = 0; seed < draws; seed++) {
    const { targets } = task.example(new Random(17, seed), length);
    const answer = task.symbol(targets[length - 1]!);
    counts.set(answer, (counts.get(answer) ?? 0) + 1 / draws);
  }
  return counts;
}

describe('balance', () => {
  const draws = 4000;
  const within = (share: number | undefined, expected: number): void =>
    expect(Math.abs((share ?? 0) - expected)).toBeLessThan(5 * Math.sqrt((expected * (1 - expected)) / draws));

  test('each answer of parity, even pairs and cycle navigation is as likely', () => {
    for (const length of [2, 3, 40]) {
      for (const share of ['0', '1'].map((answer) => shares(createTask('parity'), length, draws).get(answer))) {
        within(share, 0.5);
      }
      for (const share of ['a', 'b'].map((answer) => shares(createTask('even_pairs'), length, draws).get(answer))) {
        within(share, 0.5);
      }
    }
    const places = shares(createTask('cycle_navigation'), 40, draws);
    for (let place = 0; place < 5; place++) within(places.get(`place ${place}`), 0.2);
  });

  test('modular arithmetic: as likely as uniform numbers and signs make them', () => {
    const single = shares(createTask('modular_arithmetic'), 2, draws);
    for (let value = 0; value < 5; value++) within(single.get(String(value)), 0.2);
    // Of two numbers: sums and differences are uniform, a product of them is 0 in 9 of 25 cases.
    const pair = shares(createTask('modular_arithmetic'), 4, draws);
    within(pair.get('0'), (2 / 3) * 0.2 + (1 / 3) * (9 / 25));
    within(pair.get('3'), (2 / 3) * 0.2 + (1 / 3) * (4 / 25));
  });

  test('recall: queries are near by the power law, or anywhere without it', () => {
    const firstGap = (powerA: number): number => {
      const task = createTask('associative_recall', { keyValuePairs: 1, vocabSize: 64, powerA });
      let first = 0;
      for (let seed = 0; seed < draws; seed++) {
        if (task.example(new Random(3, seed), 22).targets[2] !== IGNORE) first += 1 / draws;
      }
      return first;
    };
    within(firstGap(1), 0.1);
    const weights = Array.from({ length: 10 }, (_, i) => (i + 1) ** (0.01 - 1));
    within(firstGap(0.01), 1 / weights.reduce((a, b) => a + b));
  });

  test('recall: any key with any value', () => {
    const task = createTask('associative_recall', { keyValuePairs: 2, vocabSize: 8 });
    const counts = new Map<string, number>();
    for (let seed = 0; seed < draws; seed++) {
      const { tokens } = task.example(new Random(4, seed), 8);
      const pair = `${tokens[2]} ${tokens[3]}`;
      counts.set(pair, (counts.get(pair) ?? 0) + 1 / draws);
    }
    expect(counts.size).toBe(3 * 4);
    for (const share of counts.values()) within(share, 1 / 12);
  });
});

describe('createTask', () => {
  test('lengths that a task has', () => {
    const lengths = (name: string, options: TaskOptions = {}): number[] =>
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 1.5].filter((length) => createTask(name, options).hasLength(length));
    expect(lengths('parity')).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(lengths('even_pairs')).toEqual([2, 3, 4, 5, 6, 7, 8]);
    expect(lengths('cycle_navigation')).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(lengths('modular_arithmetic')).toEqual([2, 4, 6, 8]);
    expect(lengths('associative_recall', { keyValuePairs: 1 })).toEqual([4, 6, 8]);
  });

  test('vocabularies', () => {
    const sizes = TASK_NAMES.map((name) => `${name} ${createTask(name).vocabSize}`);
    expect(sizes).toEqual([
      'parity 3',
      'even_pairs 3',
      'cycle_navigation 9',
      'modular_arithmetic 10',
      'associative_recall 8192',
    ]);
    for (const name of TASK_NAMES) expect(createTask(name).symbol(0)).toBe('PAD');
  });

  test.each([
    ['partiy', {}, /unknown task "partiy"; did you mean parity\?/],
    ['toString', {}, /unknown task/],
    ['parity', { modulus: 3 }, /parity has no option "modulus"; it has none/],
    ['cycle_navigation', { modulus: 3 }, /it has cycleSize/],
    ['cycle_navigation', { cycleSize: 1 }, /cycle_size must be/],
    ['modular_arithmetic', { modulus: 2.5 }, /modulus must be/],
    ['associative_recall', { keyValuePairs: 0 }, /key_value_pairs must be/],
    ['associative_recall', { vocabSize: 17 }, /vocab_size must be an integer of at least 18/],
    ['associative_recall', { powerA: 0 }, /power_a must be/],
    ['associative_recall', { powerA: Number.NaN }, /power_a must be/],
  ])('%s with %j is refused', (name, options, message) => {
    expect(() => createTask(name, options)).toThrow(
      expect.objectContaining({ name: 'ConfigError', message: expect.stringMatching(message) }),
    );
  });
});
