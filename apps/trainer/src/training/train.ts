import { CheckpointError, ConfigError, NumericsError } from '@xlstm/device';
import { createSchedule } from '@xlstm/tensor';
import {
  type Checkpoint,
  pruneCheckpoints,
  type RunIdentity,
  saveCheckpoint,
} from '../checkpoints/checkpoint-folder.ts';
import type { TrainerConfig } from '../config/trainer-config.ts';
import type { Batch, BatchSource } from '../data/batch-source.ts';
import type { MetricsLog, StepMetrics } from '../metrics/metrics-log.ts';
import type { Engine } from './engine.ts';
import type { HostTensor } from './trainable-model.ts';

/** How good the model is: a loss over validation text, accuracies of a task, texts that it wrote. */
export type Evaluation = Pick<StepMetrics, 'validationLoss' | 'accuracy' | 'samples'>;

/** Everything that a training run works with. */
export interface TrainingRun {
  config: TrainerConfig;
  engine: Engine;
  /** Rows are those of a micro batch, or of a whole step where they carry their states. */
  source: BatchSource;
  identity: RunIdentity;
  log: MetricsLog;
  /** Called every `eval.interval` steps and at the end. */
  evaluate: (step: number) => Promise<Evaluation>;
  /** Keeps the model as the best so far. */
  keepBest: () => Promise<void>;
  /** Told after each step. */
  onStep: (metrics: StepMetrics) => Promise<void>;
  /** Told of what is worth a line. */
  say: (line: string) => void;
  signal: AbortSignal;
  /** Whether a checkpoint of other data may be gone on from: the data then begins anew, and states are empty. */
  forced?: boolean;
}

/** Where a run stands. */
interface Progress {
  step: number;
  best: number | undefined;
  /** Tokens trained on so far. */
  tokens: number;
  /** The step of the last checkpoint on disk. */
  saved: number;
  /** What was trained on last in this process. */
  batch?: Batch;
}

function notFinite({ step, saved }: Progress, reason: string, cause?: unknown): NumericsError {
  const advice =
    saved > 0
      ? `the last checkpoint is kept (step ${saved}); lower optimizer.lr or train.max_norm and resume from it`
      : 'there is no checkpoint yet; lower optimizer.lr or train.max_norm and start again';
  return new NumericsError(`train: step ${step} is not finite: ${reason}; ${advice}`, { cause });
}

async function readAll(tensors: AsyncIterable<HostTensor>): Promise<HostTensor[]> {
  const all: HostTensor[] = [];
  for await (const tensor of tensors) all.push(tensor);
  return all;
}

async function firstNotFinite(tensors: AsyncIterable<HostTensor>): Promise<string | undefined> {
  for await (const { name, data } of tensors) if (!data.every(Number.isFinite)) return name;
  return undefined;
}

async function takeCheckpoint({ engine, source, identity }: TrainingRun, progress: Progress): Promise<Checkpoint> {
  return {
    step: progress.step,
    identity,
    position: source.position(),
    best: progress.best,
    tokens: progress.tokens,
    weights: await readAll(engine.model.readWeights()),
    optimizer: await engine.readOptimizer(),
    carried: await Promise.all(engine.carried.map((state) => state.read())),
    device: { kind: engine.model.device.kind, name: engine.model.device.name, precision: engine.precision },
  };
}

/**
 * Writes a checkpoint unless this step's is there.
 *
 * @throws NumericsError, and writes nothing, when the last step left a model that predicts no number any more.
 */
async function save(run: TrainingRun, progress: Progress): Promise<void> {
  if (progress.saved === progress.step) return;
  const { engine } = run;
  if (progress.batch) {
    // The loss of a step is of the weights before it: finite says nothing of those that are to be kept.
    const { loss, tokens } = await engine.evaluate([progress.batch]);
    if (tokens > 0 && !Number.isFinite(loss)) {
      const named = await firstNotFinite(engine.model.readWeights());
      const where =
        named === undefined ? 'all weights are finite, what they compute is not' : `"${named}" is not finite`;
      throw notFinite(progress, `the loss after step ${progress.step} is ${loss}: ${where}`);
    }
  }
  try {
    await saveCheckpoint(run.config.outDir, await takeCheckpoint(run, progress));
  } catch (error) {
    throw error instanceof NumericsError ? notFinite(progress, error.message, error) : error;
  }
  progress.saved = progress.step;
  await pruneCheckpoints(run.config.outDir, run.config.checkpoint.keep);
}

/** Puts a run where a checkpoint left it. */
async function resume(run: TrainingRun, checkpoint: Checkpoint): Promise<Progress> {
  const { engine } = run;
  const beginning = run.source.position();
  const same = await takeOverWeights(run, checkpoint);
  const { device } = engine.model;
  if (checkpoint.device && checkpoint.device.kind !== device.kind) {
    run.say(
      `the checkpoint was made on ${checkpoint.device.kind} (${checkpoint.device.name}), this run goes on on ${device.kind} (${device.name}): the same up to rounding, not bit for bit`,
    );
  }
  const made = checkpoint.device?.precision ?? 'fp32';
  if (checkpoint.device && made !== engine.precision) {
    run.say(
      `the checkpoint was made with ${made} products, this run goes on with ${engine.precision}: not bit for bit`,
    );
  }
  try {
    await run.source.seek(checkpoint.position);
    for (const [micro, state] of engine.carried.entries()) {
      state.write(new Map((checkpoint.carried[micro] ?? []).map(({ name, data }) => [name, data])));
    }
  } catch (error) {
    if (!run.forced || !(error instanceof ConfigError || error instanceof CheckpointError)) throw error;
    run.say('the checkpoint is of other data or other rows: the data begins anew');
    await run.source.seek(beginning);
  }
  const { step, best, tokens } = checkpoint;
  return { step, best: same ? best : undefined, tokens, saved: step };
}

/**
 * Weights and moments of a checkpoint; of another model's, where that is forced, the weights that fit.
 *
 * @returns whether the checkpoint is of the same model
 */
async function takeOverWeights({ engine, forced, say }: TrainingRun, checkpoint: Checkpoint): Promise<boolean> {
  const { model } = engine;
  const saved = new Map(checkpoint.weights.map((tensor) => [tensor.name, tensor]));
  if (forced) {
    const own = await readAll(model.readWeights());
    const fits = ({ name, shape }: HostTensor): boolean => `${saved.get(name)?.shape}` === `${shape}`;
    const fitting = own.filter(fits).length;
    if (fitting < own.length || own.length < saved.size) {
      say(
        `the checkpoint is of another model: ${fitting} of its ${saved.size} tensors are taken over, ${own.length - fitting} begin anew, and so do the optimiser's moments`,
      );
      model.writeWeights(new Map(own.map((tensor) => [tensor.name, fits(tensor) ? saved.get(tensor.name)! : tensor])));
      return false;
    }
  }
  model.writeWeights(saved);
  engine.writeOptimizer(checkpoint.optimizer);
  return true;
}

/** Sequences of a step: from `initial_batch_size` evenly up to `global_batch_size`, in whole micro batches. */
export function batchSizeAt(step: number, train: TrainerConfig['train']): number {
  const { initialBatchSize: first, globalBatchSize: last, batchRampSteps, microBatchSize } = train;
  if (step >= batchRampSteps) return last;
  return first + Math.floor(((last - first) * step) / batchRampSteps / microBatchSize) * microBatchSize;
}

/**
 * The micro batches of a step. A source of fewer rows than a step is asked again and again; one that has them all gives
 * each micro batch the same rows every time, so that they may carry their states.
 */
async function nextBatches({ source, config }: TrainingRun, sequences: number): Promise<Batch[]> {
  const { microBatchSize: rows } = config.train;
  const batches: Batch[] = [];
  while (batches.length * rows < sequences) {
    const { tokens, targets, restarts } = await source.next();
    for (let first = 0; first < source.rows; first += rows) {
      const cells = [first * source.length, (first + rows) * source.length] as const;
      batches.push({
        tokens: tokens.subarray(...cells),
        targets: targets.subarray(...cells),
        restarts: restarts.subarray(first, first + rows),
      });
    }
  }
  return batches;
}

/**
 * Trains until `max_steps`, or until the signal is aborted: then the step in progress is finished, a checkpoint is
 * written and the reason thrown, so that a resumed run goes on as if nothing had happened.
 *
 * @param from a checkpoint to go on from
 * @returns the last step and the best validation loss
 * @throws NumericsError when a gradient is not finite, naming step and tensor: the last good checkpoint is kept; CheckpointError
 * when the disk refuses; `signal.reason` when aborted.
 */
export async function train(run: TrainingRun, from?: Checkpoint): Promise<{ step: number; best: number | undefined }> {
  const { config, engine, log, signal } = run;
  const { maxSteps } = config.train;
  const schedule = createSchedule(config.schedule.name, {
    peak: config.optimizer.lr,
    steps: maxSteps,
    warmupSteps: config.schedule.warmupSteps,
    final: config.schedule.finalLr,
    cooldownSteps: config.schedule.cooldownSteps,
  });
  const progress: Progress =
    from === undefined ? { step: 0, best: undefined, tokens: 0, saved: -1 } : await resume(run, from);
  while (progress.step < maxSteps) {
    if (signal.aborted) {
      await save(run, progress);
      throw signal.reason;
    }
    const isFirst = progress.batch === undefined;
    const started = performance.now();
    const lr = schedule(progress.step);
    const sequences = batchSizeAt(progress.step, config.train);
    let result: Awaited<ReturnType<Engine['step']>>;
    try {
      const batches = await nextBatches(run, sequences);
      progress.batch = batches.at(-1)!;
      result = await engine.step(batches, lr);
    } catch (error) {
      if (!(error instanceof NumericsError)) throw error;
      throw notFinite({ ...progress, step: progress.step + 1 }, error.message, error);
    }
    progress.step++;
    progress.tokens += sequences * run.source.length;
    const metrics: StepMetrics = {
      step: progress.step,
      loss: result.loss,
      lr,
      gradientNorm: result.gradientNorm,
      tokensPerSecond: (1000 * sequences * run.source.length) / (performance.now() - started),
      tokens: progress.tokens,
    };
    const last = progress.step === maxSteps;
    if (isFirst) Object.assign(metrics, { device: engine.model.device.kind, precision: engine.precision });
    if (last || progress.step % config.eval.interval === 0) {
      Object.assign(metrics, await run.evaluate(progress.step));
      const { validationLoss } = metrics;
      if (validationLoss !== undefined && validationLoss < (progress.best ?? Number.POSITIVE_INFINITY)) {
        progress.best = validationLoss;
        await run.keepBest();
      }
    }
    await log.add(metrics);
    await run.onStep(metrics);
    if (last || progress.step % config.checkpoint.interval === 0) await save(run, progress);
  }
  return { step: progress.step, best: progress.best };
}
