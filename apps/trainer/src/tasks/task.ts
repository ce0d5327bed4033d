import type { Random } from '../data/random.ts';

/** One sequence of a task: what is read, and the answer where one is due, IGNORE elsewhere. Both `[length]`. */
export interface Example {
  readonly tokens: Int32Array;
  readonly targets: Int32Array;
}

/** Makes sequences with known answers. Id 0 is PAD in every task: what rows are filled up with. */
export interface Task {
  readonly name: string;
  /** Decides, with name and seed, what is made. */
  readonly options: Readonly<Record<string, number | boolean>>;
  readonly vocabSize: number;
  /** What an id means, for people to read. */
  symbol(id: number): string;
  /** Whether there are sequences of so many tokens. */
  hasLength(length: number): boolean;
  /** A random sequence of `length` tokens, for which `hasLength` holds. */
  example(random: Random, length: number): Example;
}
