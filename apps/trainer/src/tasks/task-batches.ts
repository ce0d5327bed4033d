import { ConfigError } from '@xlstm/device';
import type { Batch, BatchSource } from '../data/batch-source.ts';
import { checkInteger, readPosition } from '../data/positions.ts';
import { Random } from '../data/random.ts';
import { emptyBatch } from '../data/shuffled-windows.ts';
import type { FiniteSource } from '../data/validation-windows.ts';
import type { Example, Task } from './task.ts';

export interface TaskBatchOptions {
  readonly rows: number;
  /** Shortest and longest sequence; lengths that the task lacks are passed over, all others are equally likely. */
  readonly minLength: number;
  readonly maxLength: number;
  /** Tokens in a row, filled up with PAD (default: `maxLength`). */
  readonly length?: number | undefined;
  /** A non-negative safe integer. */
  readonly seed: number;
}

/**
 * Ever new sequences of a task; the n-th is a function of seed and n.
 *
 * @throws ConfigError when an option is out of range, or the task has no sequence of such a length
 * @example
 * const source = taskBatches(createTask('parity'), { rows: 256, minLength: 3, maxLength: 40, seed: 1 });
 */
export function taskBatches(task: Task, options: TaskBatchOptions): BatchSource {
  const { rows, length, same, exampleAt } = prepare('taskBatches', task, options);
  let drawn = 0;
  return {
    rows,
    length,
    async next() {
      const batch = emptyBatch(rows, length);
      for (let row = 0; row < rows; row++) putRow(batch, row, length, exampleAt(new Random(options.seed, drawn + row)));
      drawn += rows;
      return batch;
    },
    position: () => ({ ...same, drawn }),
    async seek(position) {
      ({ drawn } = readPosition(position, same, ['drawn']));
    },
    async close() {},
  };
}

/**
 * A fixed set of sequences to measure accuracy on, other than those of `taskBatches` with the same seed. Rows that the
 * last batch has to spare are PAD without targets.
 *
 * @param options.sequences how many
 * @throws ConfigError when an option is out of range, or the task has no sequence of such a length
 * @example
 * const longer = taskEvaluation(task, { rows: 64, minLength: 40, maxLength: 256, seed: 1, sequences: 2048 });
 */
export function taskEvaluation(task: Task, options: TaskBatchOptions & { readonly sequences: number }): FiniteSource {
  const { sequences, seed, minLength, maxLength } = options;
  const prepared = prepare('taskEvaluation', task, options);
  checkInteger('taskEvaluation', 'sequences', sequences, 1);
  const { rows, length, exampleAt } = prepared;
  const same = { ...prepared.same, rows, sequences };
  const batches = Math.ceil(sequences / rows);
  let index = 0;
  return {
    rows,
    length,
    batches,
    async next() {
      const batch = emptyBatch(rows, length);
      for (let row = 0; row < rows && index * rows + row < sequences; row++) {
        // More words of key than in training: never the same stream of random numbers.
        putRow(batch, row, length, exampleAt(new Random(seed, minLength, maxLength, index * rows + row)));
      }
      index = (index + 1) % batches;
      return batch;
    },
    position: () => ({ ...same, index }),
    async seek(position) {
      index = readPosition(position, same, ['index']).index % batches;
    },
    async close() {},
  };
}

function prepare(
  operation: string,
  task: Task,
  options: TaskBatchOptions,
): {
  rows: number;
  length: number;
  same: { kind: string } & Record<string, string | number>;
  exampleAt: (random: Random) => Example;
} {
  const { rows, minLength, maxLength, seed } = options;
  const length = options.length ?? maxLength;
  checkInteger(operation, 'rows', rows, 1);
  checkInteger(operation, 'min_length', minLength, 1);
  checkInteger(operation, 'max_length', maxLength, minLength);
  checkInteger(operation, 'length', length, maxLength);
  checkInteger(operation, 'seed', seed, 0);
  const lengths: number[] = [];
  for (let each = minLength; each <= maxLength; each++) if (task.hasLength(each)) lengths.push(each);
  if (lengths.length === 0) {
    throw new ConfigError(
      `${operation}: ${task.name} with ${JSON.stringify(task.options)} has no sequence of ${minLength} … ${maxLength} tokens; take other lengths`,
    );
  }
  const data = `${task.name} ${JSON.stringify(task.options)}`;
  const same = { kind: operation, data, minLength, maxLength, length, seed };
  return { rows, length, same, exampleAt: (random) => task.example(random, lengths[random.below(lengths.length)]!) };
}

function putRow(batch: Batch, row: number, length: number, example: Example): void {
  batch.tokens.set(example.tokens, row * length);
  batch.targets.set(example.targets, row * length);
}
