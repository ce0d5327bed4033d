import { ConfigError } from '@xlstm/device';
import { createSchedule, type ScheduleName } from '@xlstm/tensor';
import type { TrainerConfig } from './trainer-config.ts';

/** Schedules that end in a cool-down. */
const COOLING: readonly ScheduleName[] = ['warmup-stable-decay', 'exponential'];

/** What a schedule refuses is known before anything is read or written. */
function checkSchedule({ train, optimizer, schedule }: TrainerConfig): void {
  const { name, warmupSteps, finalLr, cooldownSteps } = schedule;
  if (cooldownSteps !== undefined && !COOLING.includes(name)) {
    throw new ConfigError(
      `config: schedule.cooldown_steps belongs to ${COOLING.join(' and ')}, ${name} has no cool-down; leave it out`,
    );
  }
  if (name === 'constant' && finalLr > 0) {
    throw new ConfigError(`config: schedule.final_lr means nothing to constant, got ${finalLr}; leave it out`);
  }
  try {
    createSchedule(name, { peak: optimizer.lr, steps: train.maxSteps, warmupSteps, final: finalLr, cooldownSteps });
  } catch (cause) {
    throw new ConfigError(
      `config: schedule.warmup_steps and schedule.cooldown_steps must fit into train.max_steps, and schedule.final_lr be at most optimizer.lr: ${(cause as Error).message}`,
      { cause },
    );
  }
}

function checkRamp({ initialBatchSize, globalBatchSize, batchRampSteps }: TrainerConfig['train']): void {
  if (initialBatchSize < globalBatchSize === batchRampSteps > 0) return;
  throw new ConfigError(
    `config: train.initial_batch_size below train.global_batch_size and train.batch_ramp_steps go together, got ${initialBatchSize} of ${globalBatchSize} and ${batchRampSteps} steps; set both or none`,
  );
}

/**
 * Checks what fields of a configuration say about each other.
 *
 * @throws ConfigError for what does not go together, and for an option that would be ignored.
 */
export function checkConfig(config: TrainerConfig): void {
  const { train, task } = config;
  checkSchedule(config);
  checkRamp(train);
  if ((config.data === undefined) === (config.task === undefined)) {
    throw new ConfigError(
      'config: give either data (a folder of text) or task (a synthetic task), not both and not none',
    );
  }
  if (config.model.kind === 'xlstm-core' && config.data?.resetStatesAtDocuments) {
    throw new ConfigError(
      'config: data.reset_states_at_documents needs model.kind xlstm-large: closing the forget gates empties an mLSTM cell alone, not the output that an sLSTM feeds back nor the inputs that a convolution holds; train on documents apart, or leave it out',
    );
  }
  if (config.model.kind === 'xlstm-core' && config.exportDtype !== 'fp32') {
    throw new ConfigError(
      `config: export.dtype ${config.exportDtype} needs model.kind xlstm-large; xlstm-core folders are written in fp32, leave it out`,
    );
  }
  if (config.data?.packing === 'carried' && train.initialBatchSize !== train.globalBatchSize) {
    throw new ConfigError(
      'config: train.initial_batch_size needs data.packing shuffled: rows that carry their state are always the same number',
    );
  }
  if (task && config.tokenizer.kind !== 'bytes') {
    throw new ConfigError('config: a task has no text and no tokenizer; leave tokenizer out');
  }
  if (task && config.eval.samples.length > 0) {
    throw new ConfigError('config: a task has no text to sample; leave eval.samples out');
  }
}
