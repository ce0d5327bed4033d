import { ConfigError, DEVICE_CHOICES } from '@xlstm/device';
import { SCHEDULES } from '@xlstm/tensor';
import { Fields } from '@xlstm/xlstm-core';
import { checkConfig } from './check-config.ts';
import type {
  DataConfig,
  ModelConfig,
  SourceConfig,
  TaskConfig,
  TokenizerConfig,
  TrainerConfig,
} from './trainer-config.ts';

const positive = (value: number): boolean => value > 0;
const fromZero = (value: number): boolean => value >= 0;
const share = (value: number): boolean => value >= 0 && value < 1;

function section<T>(parent: Fields, name: string, read: (fields: Fields) => T): T {
  const fields = new Fields(name, parent.raw(name) ?? {});
  const value = read(fields);
  fields.refuseUnknown();
  return value;
}

function text(fields: Fields, name: string, where: string, fallback?: string): string {
  const value = fields.raw(name) ?? fallback;
  if (typeof value !== 'string' || value === '') {
    throw new ConfigError(`config: ${where} must be a text that is not empty, got ${JSON.stringify(value)}`);
  }
  return value;
}

function list(value: unknown, where: string): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new ConfigError(`config: ${where} must be a list, got ${JSON.stringify(value)}`);
  return value;
}

function parseModel(fields: Fields): ModelConfig {
  const raw = fields.raw('model');
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw new ConfigError(
      'config: model is missing; give kind (xlstm-large or xlstm-core) and the fields of that model',
    );
  }
  const { kind, ...rest } = raw as Record<string, unknown>;
  if (kind !== 'xlstm-large' && kind !== 'xlstm-core') {
    throw new ConfigError(`config: model.kind must be xlstm-large or xlstm-core, got ${JSON.stringify(kind)}`);
  }
  if ('vocab_size' in rest) {
    throw new ConfigError('config: model.vocab_size follows from the tokenizer or the task; leave it out');
  }
  if (kind === 'xlstm-core' && 'dropout' in rest) {
    throw new ConfigError('config: model.dropout is train.dropout here; set that');
  }
  return { kind, fields: rest };
}

function parseTokenizer(fields: Fields): TokenizerConfig {
  return section(fields, 'tokenizer', (own): TokenizerConfig => {
    const kind = own.oneOf('kind', ['bytes', 'file', 'bpe'], 'bytes');
    if (kind === 'file') return { kind, path: text(own, 'path', 'tokenizer.path') };
    if (kind === 'bpe') return { kind, vocabSize: own.integer('vocab_size', 4096, 258) };
    return { kind };
  });
}

function parseSources(raw: unknown, where: string): SourceConfig[] {
  return list(raw, where).map((entry, at) => {
    if (typeof entry === 'string') return { path: entry, weight: 1 };
    const fields = new Fields(`${where}[${at}]`, entry);
    const source = {
      path: text(fields, 'path', `${where}[${at}].path`),
      weight: fields.number('weight', 1, 'a positive number', positive),
    };
    fields.refuseUnknown();
    return source;
  });
}

function parseData(fields: Fields): DataConfig | undefined {
  if (fields.raw('data') === undefined) return undefined;
  return section(fields, 'data', (own) => {
    const train = parseSources(own.raw('train'), 'data.train');
    if (train.length === 0) throw new ConfigError('config: data.train is empty; name at least one file or glob');
    return {
      train,
      validation: parseSources(own.raw('validation'), 'data.validation'),
      documentSeparator: text(own, 'document_separator', 'data.document_separator', '<|endoftext|>'),
      sequenceLength: own.integer('sequence_length', 512, 2),
      packing: own.oneOf('packing', ['shuffled', 'carried'], 'shuffled'),
      resetStatesAtDocuments: own.boolean('reset_states_at_documents', false),
    };
  });
}

function parseTask(fields: Fields): TaskConfig | undefined {
  if (fields.raw('task') === undefined) return undefined;
  return section(fields, 'task', (own) => {
    const minLength = own.integer('min_length', 3);
    const maxLength = own.integer('max_length', 40);
    if (maxLength < minLength) {
      throw new ConfigError(
        `config: task.max_length must be at least task.min_length, got ${maxLength} and ${minLength}`,
      );
    }
    const ranges = list(own.raw('evaluation_ranges'), 'task.evaluation_ranges').map((range) => {
      const [low, high] = Array.isArray(range) && range.length === 2 ? (range as unknown[]) : [];
      if (
        !Number.isSafeInteger(low) ||
        !Number.isSafeInteger(high) ||
        (low as number) < 1 ||
        (high as number) < (low as number)
      ) {
        throw new ConfigError(
          `config: task.evaluation_ranges must be pairs of a shortest and a longest length, got ${JSON.stringify(range)}`,
        );
      }
      return [low as number, high as number] as const;
    });
    return {
      name: text(own, 'name', 'task.name'),
      minLength,
      maxLength,
      options: taskOptions(own.raw('options')),
      evaluationRanges: [[minLength, maxLength] as const, ...ranges],
      evaluationSequences: own.integer('evaluation_sequences', 256),
    };
  });
}

/** Snake-case numbers and switches, which the task itself checks. */
function taskOptions(raw: unknown): Record<string, number | boolean> {
  const options: Record<string, number | boolean> = {};
  if (raw === undefined || raw === null) return options;
  if (typeof raw !== 'object' || Array.isArray(raw)) {
    throw new ConfigError(`config: task.options must be an object of fields, got ${JSON.stringify(raw)}`);
  }
  for (const [name, value] of Object.entries(raw)) {
    if (typeof value !== 'number' && typeof value !== 'boolean') {
      throw new ConfigError(
        `config: task.options.${name} must be a number or true or false, got ${JSON.stringify(value)}`,
      );
    }
    options[name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())] = value;
  }
  return options;
}

function parseTrain(fields: Fields): TrainerConfig['train'] {
  return section(fields, 'train', (own) => {
    const globalBatchSize = own.integer('global_batch_size', 64);
    const microBatchSize = own.integer('micro_batch_size', globalBatchSize);
    if (globalBatchSize % microBatchSize !== 0) {
      throw new ConfigError(
        `config: train.micro_batch_size must divide train.global_batch_size, got ${microBatchSize} and ${globalBatchSize}`,
      );
    }
    const initialBatchSize = own.integer('initial_batch_size', globalBatchSize);
    if (initialBatchSize > globalBatchSize || initialBatchSize % microBatchSize !== 0) {
      throw new ConfigError(
        `config: train.initial_batch_size must be a multiple of train.micro_batch_size (${microBatchSize}) and at most train.global_batch_size (${globalBatchSize}), got ${initialBatchSize}`,
      );
    }
    return {
      maxSteps: own.integer('max_steps', 1000),
      globalBatchSize,
      initialBatchSize,
      batchRampSteps: own.integer('batch_ramp_steps', 0, 0),
      microBatchSize,
      maxNorm: own.number('max_norm', 1, 'a positive number', positive),
      dropout: own.number('dropout', 0, 'a number in [0, 1)', share),
      recompute: own.boolean('recompute', false),
    };
  });
}

/**
 * Validates a training run's configuration: the object that a YAML file holds, overrides applied.
 *
 * @throws ConfigError that names the field, what was expected and what came; for an unknown field, the nearest known.
 */
export function parseTrainerConfig(raw: unknown): TrainerConfig {
  const fields = new Fields('the configuration', raw);
  const train = parseTrain(fields);
  const config: TrainerConfig = {
    outDir: text(fields, 'out_dir', 'out_dir'),
    seed: fields.integer('seed', 1, 0),
    device: fields.oneOf('device', DEVICE_CHOICES, 'auto'),
    precision: fields.oneOf('precision', ['fp32', 'bf16-mixed'], 'fp32'),
    model: parseModel(fields),
    tokenizer: parseTokenizer(fields),
    data: parseData(fields),
    task: parseTask(fields),
    train,
    optimizer: section(fields, 'optimizer', (own) => {
      own.oneOf('name', ['adamw'], 'adamw');
      return {
        lr: own.number('lr', 1e-3, 'a positive number', positive),
        beta1: own.number('beta1', 0.9, 'a number in [0, 1)', share),
        beta2: own.number('beta2', 0.95, 'a number in [0, 1)', share),
        eps: own.number('eps', 1e-8, 'a positive number', positive),
        weightDecay: own.number('weight_decay', 0.1, 'a number from 0', fromZero),
      };
    }),
    schedule: section(fields, 'schedule', (own) => ({
      name: own.oneOf('name', SCHEDULES, 'cosine'),
      warmupSteps: own.integer('warmup_steps', Math.min(100, Math.floor(train.maxSteps / 10)), 0),
      finalLr: own.number('final_lr', 0, 'a number from 0', fromZero),
      cooldownSteps: own.raw('cooldown_steps') === undefined ? undefined : own.integer('cooldown_steps', 0, 0),
    })),
    eval: section(fields, 'eval', (own) => ({
      interval: own.integer('interval', 100),
      batches: own.integer('batches', 20),
      samples: list(own.raw('samples'), 'eval.samples').map((sample) => {
        if (typeof sample !== 'string') {
          throw new ConfigError(`config: eval.samples must be texts, got ${JSON.stringify(sample)}`);
        }
        return sample;
      }),
      sampleTokens: own.integer('sample_tokens', 80),
      temperature: own.number('temperature', 0.8, 'a number from 0', fromZero),
    })),
    checkpoint: section(fields, 'checkpoint', (own) => ({
      interval: own.integer('interval', 200),
      keep: own.integer('keep', 2),
    })),
    exportDtype: section(fields, 'export', (own) => own.oneOf('dtype', ['fp32', 'bf16'], 'fp32')),
    logger: section(fields, 'logger', (own) => ({
      tensorboard: own.boolean('tensorboard', false),
      report: own.boolean('report', true),
    })),
  };
  fields.refuseUnknown();
  checkConfig(config);
  return config;
}
