import { ConfigError } from '@xlstm/device';
import { closest } from 'fastest-levenshtein';
import { type AssociativeRecallOptions, associativeRecall } from './associative-recall.ts';
import { cycleNavigation, evenPairs, modularArithmetic, parity } from './formal-languages.ts';
import type { Task } from './task.ts';

/** Options of single tasks; one that another task has is refused. */
export interface TaskOptions extends AssociativeRecallOptions {
  readonly cycleSize?: number;
  readonly modulus?: number;
}

export type TaskName = 'parity' | 'even_pairs' | 'cycle_navigation' | 'modular_arithmetic' | 'associative_recall';

interface Entry {
  readonly make: (options: TaskOptions) => Task;
  /** Those that the task has. */
  readonly options: readonly (keyof TaskOptions)[];
}

const TASKS: Readonly<Record<TaskName, Entry>> = {
  parity: { make: parity, options: [] },
  even_pairs: { make: evenPairs, options: [] },
  cycle_navigation: { make: cycleNavigation, options: ['cycleSize'] },
  modular_arithmetic: { make: modularArithmetic, options: ['modulus'] },
  associative_recall: {
    make: associativeRecall,
    options: ['keyValuePairs', 'vocabSize', 'powerA', 'randomNonQueries'],
  },
};

export const TASK_NAMES: readonly TaskName[] = Object.keys(TASKS) as TaskName[];

/**
 * A task by its name in a config.
 *
 * @throws ConfigError for an unknown name or option, naming the nearest, or an option out of range
 * @example
 * createTask('cycle_navigation', { cycleSize: 7 });
 */
export function createTask(name: string, options: TaskOptions = {}): Task {
  if (!Object.hasOwn(TASKS, name)) {
    throw new ConfigError(
      `createTask: unknown task "${name}"; did you mean ${closest(name, TASK_NAMES)}? Known: ${TASK_NAMES.join(', ')}`,
    );
  }
  const { make, options: known } = TASKS[name as TaskName];
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  for (const option of Object.keys(given)) {
    if (known.some((each) => each === option)) continue;
    throw new ConfigError(`createTask: ${name} has no option "${option}"; it has ${known.join(', ') || 'none'}`);
  }
  return make(given);
}
