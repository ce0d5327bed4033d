import { createHash } from 'node:crypto';
import type { TaskConfig, TrainerConfig } from '../config/trainer-config.ts';
import { TaskAccuracy } from '../tasks/accuracy.ts';
import { createTask } from '../tasks/create-task.ts';
import { taskBatches, taskEvaluation } from '../tasks/task-batches.ts';
import type { RunSource } from './run-source.ts';

/** Logits of an evaluation batch at most: accuracy needs all of them at once. */
const MOST_LOGITS = 2 ** 25;

/**
 * A synthetic task: ever new sequences to train on, fixed ones to measure accuracy on.
 *
 * @throws ConfigError for an unknown task or lengths that it has no sequences of.
 */
export function prepareTask(config: TrainerConfig, wanted: TaskConfig): RunSource {
  const { seed } = config;
  const { microBatchSize: rows } = config.train;
  const { minLength, maxLength, evaluationSequences: sequences } = wanted;
  const task = createTask(wanted.name, wanted.options);
  const source = taskBatches(task, { rows, minLength, maxLength, seed });
  const sets = wanted.evaluationRanges.map(([low, high]) => ({
    name: `${low}-${high}`,
    set: taskEvaluation(task, {
      rows: Math.max(1, Math.min(rows, Math.floor(MOST_LOGITS / (high * task.vocabSize)))),
      minLength: low,
      maxLength: high,
      seed,
      sequences,
    }),
  }));
  return {
    tokenizer: undefined,
    vocabSize: task.vocabSize,
    source,
    fingerprint: createHash('sha256')
      .update(JSON.stringify([task.name, task.options, minLength, maxLength, seed]))
      .digest('hex')
      .slice(0, 32),
    describe: `task ${task.name}`,
    prepareEvaluation: (engine) => {
      for (const { set } of sets) engine.preparePrediction(set.rows, set.length);
    },
    evaluate: async (engine) => {
      const accuracy: Record<string, number> = {};
      for (const { name, set } of sets) {
        const counts = new TaskAccuracy();
        for (let batch = 0; batch < set.batches; batch++) {
          const { tokens, targets } = await set.next();
          counts.add(await engine.predict(tokens, set.rows, set.length), targets, set.length);
        }
        accuracy[name] = counts.answers;
      }
      return { accuracy };
    },
    close: async () => {
      for (const each of [source, ...sets.map(({ set }) => set)]) await each.close();
    },
  };
}
