import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError, type Device, selectDevice } from '@xlstm/device';
import { stringify } from 'yaml';
import {
  identityDifferences,
  listCheckpoints,
  loadCheckpoint,
  type RunIdentity,
  removeCheckpoints,
} from '../checkpoints/checkpoint-folder.ts';
import { lockRun } from '../checkpoints/run-lock.ts';
import { configFields } from '../config/config-fields.ts';
import { loadConfig } from '../config/load-config.ts';
import { parseTrainerConfig } from '../config/parse-config.ts';
import type { TrainerConfig } from '../config/trainer-config.ts';
import { exportCore, exportHuggingFace } from '../export/huggingface.ts';
import { MetricsLog, type StepMetrics } from '../metrics/metrics-log.ts';
import { ProgressLine } from '../metrics/progress-line.ts';
import { TensorBoardLog } from '../metrics/tensorboard.ts';
import { CoreTrainable } from '../training/core-model.ts';
import { Engine } from '../training/engine.ts';
import { LargeTrainable } from '../training/large-model.ts';
import { train } from '../training/train.ts';
import type { TrainableModel } from '../training/trainable-model.ts';
import { estimateTraining } from './estimate-training.ts';
import { prepareData } from './prepare-data.ts';
import { prepareTask } from './prepare-task.ts';
import { prepareTokenizer, type RunTokenizer } from './prepare-tokenizer.ts';
import type { RunSource } from './run-source.ts';

/** What `xlstm-train` was asked for. */
export interface TrainCommandOptions {
  config: string;
  overrides: readonly string[];
  resume: boolean;
  force: boolean;
  dryRun: boolean;
  json: boolean;
  stdout: { write(text: string): unknown };
  stderr: NodeJS.WriteStream;
  signal: AbortSignal;
}

/** The resolved configuration of a run, beside its checkpoints. */
const RESOLVED = 'config.yaml';

async function openSource(
  config: TrainerConfig,
  options: TrainCommandOptions,
  say: (line: string) => void,
): Promise<RunSource> {
  if (config.task) return prepareTask(config, config.task);
  const { signal } = options;
  const tokenizer = await prepareTokenizer(config, { say, signal });
  let told = '';
  const data = await prepareData(config, config.data!, tokenizer, {
    signal,
    onProgress: ({ phase, file, doneBytes, totalBytes }) => {
      const percent = `${phase} ${file} ${Math.floor((10 * doneBytes) / Math.max(1, totalBytes)) * 10} %`;
      if (percent !== told) say(percent);
      told = percent;
    },
  });
  return {
    tokenizer,
    vocabSize: tokenizer.tokenizer.vocabSize,
    source: data.source,
    fingerprint: data.fingerprint,
    describe: `${data.tokens} training tokens`,
    evaluate: async (engine) => {
      const { validation } = data;
      return validation ? { validationLoss: (await engine.evaluate(validation())).loss } : {};
    },
    close: data.close,
  };
}

async function createModel(device: Device, config: TrainerConfig, run: RunSource): Promise<TrainableModel> {
  const { vocabSize, tokenizer } = run;
  const { seed } = config;
  if (config.model.kind === 'xlstm-core') {
    return new CoreTrainable(device, config.model.fields, { vocabSize, seed, dropout: config.train.dropout });
  }
  const special = tokenizer ? { bos_token_id: tokenizer.beginId, eos_token_id: tokenizer.beginId } : {};
  return LargeTrainable.create(
    device,
    { ...special, ...config.model.fields },
    { vocabSize, seed, resetToken: config.data?.resetStatesAtDocuments ? tokenizer?.beginId : undefined },
  );
}

/** Writes the model as it is to a folder of the run that others load. */
async function exportModel(
  config: TrainerConfig,
  model: TrainableModel,
  tokenizer: RunTokenizer | undefined,
  name: string,
) {
  const folder = join(config.outDir, name);
  if (model instanceof LargeTrainable) {
    await exportHuggingFace(folder, {
      config: model.model.config,
      dims: model.model.dims,
      weights: model.readWeights(),
      dtype: config.exportDtype,
      tokenizerJson: tokenizer?.json,
      beginToken: tokenizer?.beginToken ?? '<|endoftext|>',
    });
  } else {
    await exportCore(folder, {
      config: model.description,
      weights: model.readWeights(),
      tokenizerJson: tokenizer?.json,
    });
  }
  return folder;
}

async function writeSamples(config: TrainerConfig, model: TrainableModel, run: RunSource, step: number) {
  const { tokenizer } = run;
  if (!tokenizer) return undefined;
  const samples = [];
  for (const prompt of config.eval.samples) {
    const promptIds = [tokenizer.beginId, ...tokenizer.tokenizer.encode(prompt, { addBos: false })];
    const ids = await model.continueText(promptIds, {
      tokens: config.eval.sampleTokens,
      temperature: config.eval.temperature,
      seed: config.seed + step,
      stopIds: [tokenizer.beginId],
    });
    samples.push({ prompt, text: tokenizer.tokenizer.decode(ids, { skipSpecialTokens: true }) });
  }
  return samples.length > 0 ? samples : undefined;
}

/** The checkpoint to go on from, or none for a new run. @throws CheckpointError when the two do not go together. */
async function checkpointToResume(
  config: TrainerConfig,
  identity: RunIdentity,
  { resume, force }: TrainCommandOptions,
): Promise<string | undefined> {
  const last = (await listCheckpoints(config.outDir)).at(-1);
  if (!resume) {
    if (last && !force) {
      throw new CheckpointError(
        `train: ${config.outDir} holds a run (step ${last.step}); go on with --resume, choose another out_dir, or start over with --force`,
      );
    }
    return undefined;
  }
  if (!last) throw new CheckpointError(`train: ${config.outDir} has no checkpoint to resume from; leave --resume out`);
  const differences = identityDifferences((await loadCheckpoint(last.folder)).identity, identity);
  if (differences.length > 0 && !force) {
    throw new CheckpointError(
      `train: the checkpoint at step ${last.step} was made with another ${differences.join(' and another ')}; restore the configuration, or go on all the same with --force`,
    );
  }
  return last.folder;
}

/**
 * `xlstm-train`: trains as a configuration says.
 *
 * @throws what went wrong, typed; `signal.reason` after a checkpoint when interrupted.
 */
export async function trainCommand(options: TrainCommandOptions): Promise<void> {
  const config = parseTrainerConfig(await loadConfig(options.config, options.overrides));
  const resolved = stringify(configFields(config));
  const progressStream = options.stderr;
  let line: ProgressLine | undefined;
  const say = (text: string): void => {
    if (line) line.print(text);
    else progressStream.write(`${text}\n`);
  };
  const unlock = options.dryRun ? async () => {} : await lockRun(config.outDir);
  const toClose: (() => Promise<void> | void)[] = [unlock];
  try {
    const run = await openSource(config, options, say);
    toClose.push(run.close);
    const { device, reason } = await selectDevice(config.device);
    toClose.push(() => device.dispose());
    const model = await createModel(device, config, run);
    toClose.push(() => model.dispose());
    const estimate = estimateTraining(config, model, run.source.length);
    say(`device: ${reason}`);
    say(`${estimate.parameters} parameters, ${run.describe}, about ${estimate.gigabytes.toFixed(2)} GB on the device`);
    if (options.dryRun) {
      options.stdout.write(resolved);
      return;
    }
    const identity: RunIdentity = {
      model: model.description,
      tokenizer: run.tokenizer?.fingerprint ?? 'none',
      data: run.fingerprint,
    };
    const from = await checkpointToResume(config, identity, options);
    const step = from === undefined ? 0 : (await loadCheckpoint(from)).step;
    await writeFile(join(config.outDir, RESOLVED), resolved);
    const log = await MetricsLog.open(config.outDir, step);
    const tensorboard = config.logger.tensorboard ? await TensorBoardLog.open(config.outDir, step) : undefined;
    if (tensorboard) toClose.push(() => tensorboard.close());
    const { maxSteps } = config.train;
    line = new ProgressLine(progressStream, { maxSteps, step, signal: options.signal });
    toClose.push(() => line?.close());
    const { train: sizes, optimizer } = config;
    const engine = new Engine(model, {
      rows: sizes.microBatchSize,
      length: run.source.length,
      accumulation: sizes.globalBatchSize / sizes.microBatchSize,
      lr: optimizer.lr,
      betas: [optimizer.beta1, optimizer.beta2],
      eps: optimizer.eps,
      weightDecay: optimizer.weightDecay,
      maxNorm: sizes.maxNorm,
      dropout: sizes.dropout,
      recompute: sizes.recompute,
      carried: config.data?.packing === 'carried',
      seed: config.seed,
    });
    toClose.push(() => engine.dispose());
    if (from === undefined) await removeCheckpoints(config.outDir);
    else say(`resuming from step ${step}`);
    const result = await train(
      {
        config,
        engine,
        source: run.source,
        identity,
        log,
        evaluate: async (at) => {
          const evaluation = await run.evaluate(engine);
          const samples = await writeSamples(config, model, run, at);
          return samples ? { ...evaluation, samples } : evaluation;
        },
        keepBest: async () => {
          await exportModel(config, model, run.tokenizer, 'best');
        },
        onStep: async (metrics) => {
          line?.update(metrics);
          await tensorboard?.add(metrics);
          if (options.json) options.stdout.write(`${JSON.stringify(metrics)}\n`);
          tellEvaluation(metrics, say);
        },
        say,
        signal: options.signal,
        forced: options.force,
      },
      from,
    );
    const folder = await exportModel(config, model, run.tokenizer, 'model');
    say(
      `trained ${result.step} steps; the model is in ${folder}${result.best === undefined ? '' : `, the best (validation ${result.best.toFixed(4)} nats per token) in ${join(config.outDir, 'best')}`}`,
    );
    if (config.logger.report) await writeRunReport(config, estimate.parameters, device.name, say);
  } finally {
    for (const close of toClose.reverse()) await close();
  }
}

function tellEvaluation(metrics: StepMetrics, say: (line: string) => void): void {
  const { step, validationLoss, accuracy, samples } = metrics;
  if (validationLoss !== undefined) say(`step ${step}: validation ${validationLoss.toFixed(4)} nats per token`);
  for (const [range, value] of Object.entries(accuracy ?? {})) {
    say(`step ${step}: accuracy at lengths ${range}: ${(100 * value).toFixed(1)} %`);
  }
  for (const { prompt, text } of samples ?? []) say(`  ${prompt}${text.replaceAll('\n', '\n  ')}`);
}

async function writeRunReport(
  config: TrainerConfig,
  parameters: number,
  device: string,
  say: (line: string) => void,
): Promise<void> {
  const { readMetrics } = await import('../metrics/metrics-log.ts');
  const { writeReport } = await import('../metrics/html-report.ts');
  const path = await writeReport(config.outDir, {
    title: config.outDir,
    config: stringify(configFields(config)),
    metrics: await readMetrics(config.outDir),
    parameters,
    device,
  });
  say(`report: ${path}`);
}
