import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BatchSource, IGNORE } from '../data/batch-source.ts';
import { expectExactSeek, take } from '../data/testing/seek-law.ts';
import { TaskAccuracy } from './accuracy.ts';
import { createTask, TASK_NAMES } from './create-task.ts';
import { taskBatches, taskEvaluation } from './task-batches.ts';

const options = { rows: 16, minLength: 32, maxLength: 50, seed: 1 };

/** Tokens of each row before its padding. */
function lengthsOf(tokens: Int32Array, length: number): number[] {
  const lengths: number[] = [];
  for (let start = 0; start < tokens.length; start += length) {
    const row = tokens.subarray(start, start + length);
    lengths.push(row.findLastIndex((id) => id !== 0) + 1);
  }
  return lengths;
}

describe('taskBatches', () => {
  test('seek is exact, for every task', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...TASK_NAMES),
        fc.integer({ min: 1, max: 5 }),
        fc.maxSafeNat(),
        fc.nat(20),
        async (name, rows, seed, before) => {
          const task = createTask(name);
          await expectExactSeek(() => taskBatches(task, { ...options, rows, seed }), before, 5);
          const set = (): BatchSource => taskEvaluation(task, { ...options, rows, seed, sequences: 7 });
          await expectExactSeek(set, before, 5);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('lengths are uniform among those that the task has, and rows are filled up', async () => {
    for (const [name, step] of [
      ['parity', 1],
      ['modular_arithmetic', 2],
    ] as const) {
      const source = taskBatches(createTask(name), { ...options, minLength: 3, maxLength: 12, length: 20 });
      const counts = new Map<number, number>();
      for (const batch of await take(source, 250)) {
        expect(batch.tokens.length).toBe(16 * 20);
        expect(batch.restarts.every((restart) => restart === 1)).toBe(true);
        for (const [row, length] of lengthsOf(batch.tokens, 20).entries()) {
          counts.set(length, (counts.get(length) ?? 0) + 1);
          const targets = batch.targets.subarray(row * 20, row * 20 + 20);
          expect(targets.findIndex((target) => target !== IGNORE)).toBe(length - 1);
          expect(targets.filter((target) => target !== IGNORE).length).toBe(1);
        }
      }
      const share = step / 10;
      expect([...counts.keys()].sort((a, b) => a - b)).toEqual(
        step === 1 ? [3, 4, 5, 6, 7, 8, 9, 10, 11, 12] : [4, 6, 8, 10, 12],
      );
      for (const count of counts.values()) {
        expect(Math.abs(count - 4000 * share)).toBeLessThan(5 * Math.sqrt(4000 * share * (1 - share)));
      }
    }
  });

  test('sequences are new, other for another seed, and not those of the evaluation', async () => {
    const task = createTask('associative_recall');
    const rows = async (source: BatchSource, count: number): Promise<string[]> =>
      (await take(source, count)).flatMap(({ tokens }) =>
        Array.from({ length: 16 }, (_, row) => tokens.subarray(row * 50, row * 50 + 50).join()),
      );
    const all = [
      ...(await rows(taskBatches(task, options), 10)),
      ...(await rows(taskBatches(task, { ...options, seed: 2 }), 10)),
      ...(await rows(taskEvaluation(task, { ...options, sequences: 160 }), 10)),
    ];
    expect(new Set(all).size).toBe(480);
  });

  test('the number of rows does not change the sequences', async () => {
    const one = await take(taskBatches(createTask('parity'), { ...options, rows: 1 }), 16);
    const [all] = await take(taskBatches(createTask('parity'), options), 1);
    expect(one.flatMap((batch) => [...batch.tokens])).toEqual([...all!.tokens]);
  });

  test.each([
    [{ rows: 0 }, /rows must be/],
    [{ minLength: 0 }, /min_length must be/],
    [{ maxLength: 31 }, /max_length must be an integer of 32 or more/],
    [{ length: 49 }, /length must be an integer of 50 or more/],
    [{ seed: -1 }, /seed must be/],
    [{ minLength: 33, maxLength: 33 }, /associative_recall .*has no sequence of 33 … 33 tokens/],
  ])('%j is refused', (wrong, message) => {
    const task = createTask('associative_recall');
    expect(() => taskBatches(task, { ...options, ...wrong })).toThrow(message);
    expect(() => taskEvaluation(task, { ...options, ...wrong, sequences: 5 })).toThrow(message);
    expect(() => taskEvaluation(task, { ...options, sequences: 0 })).toThrow(/sequences must be/);
  });

  test('a position of another task, its options or the evaluation is refused', async () => {
    const source = taskBatches(createTask('cycle_navigation'), options);
    for (const other of [
      taskBatches(createTask('parity'), options),
      taskBatches(createTask('cycle_navigation', { cycleSize: 6 }), options),
      taskBatches(createTask('cycle_navigation'), { ...options, maxLength: 49 }),
      taskEvaluation(createTask('cycle_navigation'), { ...options, sequences: 5 }),
    ]) {
      await expect(source.seek(other.position())).rejects.toMatchObject({ name: 'ConfigError' });
    }
  });
});

describe('taskEvaluation', () => {
  test('is the same each time, whole, and begins again', async () => {
    const task = createTask('parity');
    const make = (): ReturnType<typeof taskEvaluation> =>
      taskEvaluation(task, { ...options, minLength: 100, maxLength: 100, sequences: 40 });
    const source = make();
    expect(source.batches).toBe(3);
    const batches = await take(source, 3);
    expect(batches.flatMap((batch) => lengthsOf(batch.tokens, 100)).filter((length) => length === 100).length).toBe(40);
    expect(await take(source, 3)).toEqual(batches);
    expect(await take(make(), 3)).toEqual(batches);

    const accuracy = new TaskAccuracy();
    for (const { targets } of batches) accuracy.add(targets, targets, 100);
    expect([accuracy.count, accuracy.sequences, accuracy.answers]).toEqual([40, 1, 1]);
  });
});

describe('TaskAccuracy', () => {
  test('a sequence is right when all of its answers are; padding and other places do not count', () => {
    const targets = Int32Array.of(IGNORE, 5, 6, IGNORE, 7, 8, IGNORE, IGNORE, IGNORE, IGNORE, 9, IGNORE);
    const accuracy = new TaskAccuracy();
    expect(accuracy.sequences).toBeNaN();
    accuracy.add([0, 5, 6, 0, 7, 0, 1, 1, 1, 2, 9, 2], targets, 3);
    expect([accuracy.count, accuracy.sequences, accuracy.answers]).toEqual([3, 2 / 3, 4 / 5]);
    accuracy.add([5, 4, 6], Int32Array.of(IGNORE, 5, 6), 3);
    expect([accuracy.count, accuracy.sequences, accuracy.answers]).toEqual([4, 2 / 4, 5 / 7]);
    // A prediction of IGNORE is no right answer anywhere.
    accuracy.add([IGNORE, IGNORE, IGNORE], Int32Array.of(IGNORE, IGNORE, IGNORE), 3);
    expect(accuracy.count).toBe(4);
  });

  test('shapes that do not fit', () => {
    expect(() => new TaskAccuracy().add([1, 2], new Int32Array(3), 3)).toThrow(/must be \[rows, 3\], got 2 and 3/);
    expect(() => new TaskAccuracy().add([1, 2, 3, 4], new Int32Array(4), 3)).toThrow(/must be/);
  });
});
