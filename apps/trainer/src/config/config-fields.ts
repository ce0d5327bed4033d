import type { TrainerConfig } from './trainer-config.ts';

/** A configuration as the fields of its YAML file, defaults included: parsed, they give the same configuration. */
export function configFields(config: TrainerConfig): Record<string, unknown> {
  const { model, tokenizer, data, task, train, optimizer, schedule, logger } = config;
  const fields = {
    out_dir: config.outDir,
    seed: config.seed,
    device: config.device,
    precision: config.precision,
    model: { kind: model.kind, ...model.fields },
    tokenizer: tokenizer.kind === 'bpe' ? { kind: tokenizer.kind, vocab_size: tokenizer.vocabSize } : { ...tokenizer },
    data: data && {
      train: data.train.map((source) => ({ ...source })),
      validation: data.validation.map((source) => ({ ...source })),
      document_separator: data.documentSeparator,
      sequence_length: data.sequenceLength,
      packing: data.packing,
      reset_states_at_documents: data.resetStatesAtDocuments,
    },
    task: task && {
      name: task.name,
      min_length: task.minLength,
      max_length: task.maxLength,
      // The first is that of training, and not a field.
      evaluation_ranges: task.evaluationRanges.slice(1).map((range) => [...range]),
      evaluation_sequences: task.evaluationSequences,
      options: snakeCase(task.options),
    },
    train: {
      max_steps: train.maxSteps,
      global_batch_size: train.globalBatchSize,
      micro_batch_size: train.microBatchSize,
      initial_batch_size: train.initialBatchSize,
      batch_ramp_steps: train.batchRampSteps,
      max_norm: train.maxNorm,
      dropout: train.dropout,
      recompute: train.recompute,
    },
    optimizer: {
      name: 'adamw',
      lr: optimizer.lr,
      beta1: optimizer.beta1,
      beta2: optimizer.beta2,
      eps: optimizer.eps,
      weight_decay: optimizer.weightDecay,
    },
    schedule: {
      name: schedule.name,
      warmup_steps: schedule.warmupSteps,
      final_lr: schedule.finalLr,
      cooldown_steps: schedule.cooldownSteps,
    },
    eval: {
      interval: config.eval.interval,
      batches: config.eval.batches,
      samples: [...config.eval.samples],
      sample_tokens: config.eval.sampleTokens,
      temperature: config.eval.temperature,
    },
    checkpoint: { ...config.checkpoint },
    export: { dtype: config.exportDtype },
    logger: { ...logger },
  };
  return withoutUndefined(fields);
}

function snakeCase(options: Readonly<Record<string, number | boolean>>): Record<string, number | boolean> {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  );
}

function withoutUndefined(fields: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(fields)) as Record<string, unknown>;
}
