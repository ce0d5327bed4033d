import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { selectDevice } from '@xlstm/device';
import { stringify } from 'yaml';
import { type RunIdentity, removeCheckpoints } from '../checkpoints/checkpoint-folder.ts';
import { lockRun, runOwner } from '../checkpoints/run-lock.ts';
import { configFields } from '../config/config-fields.ts';
import { loadConfig } from '../config/load-config.ts';
import { parseTrainerConfig } from '../config/parse-config.ts';
import type { TrainerConfig } from '../config/trainer-config.ts';
import { REPORT, writeReport } from '../metrics/html-report.ts';
import { MetricsLog, readMetrics, type StepMetrics } from '../metrics/metrics-log.ts';
import { ProgressLine } from '../metrics/progress-line.ts';
import { TensorBoardLog } from '../metrics/tensorboard.ts';
import { train } from '../training/train.ts';
import { countParameters, createEngine, estimateTraining, precisionOn, prepareEngine } from './estimate-training.ts';
import { prepareData } from './prepare-data.ts';
import { prepareTask } from './prepare-task.ts';
import { prepareTokenizer } from './prepare-tokenizer.ts';
import { checkPosition, checkpointToResume } from './resume-point.ts';
import { createModel, exportModel, writeSamples } from './run-model.ts';
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
  const renew = options.force && !options.resume && !options.dryRun;
  const tokenizer = await prepareTokenizer(config, { say, signal, renew });
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
    prepareEvaluation: () => {},
    evaluate: async (engine) => {
      const { validation } = data;
      return validation ? { validationLoss: (await engine.evaluate(validation())).loss } : {};
    },
    close: data.close,
  };
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
    say(`device: ${reason}`);
    if (config.precision === 'bf16-mixed' && precisionOn(device, config) === 'fp32') {
      say(
        `precision: fp32, since ${device.name} offers no subgroup matrices of fp16, which bf16-mixed computes on (in Node, an NVIDIA GPU offers them with XLSTM_DAWN_TOGGLES=vulkan_enable_f16_on_nvidia,allow_unsafe_apis)`,
      );
    }
    const tellSize = (parameters: number, bytes: number): void =>
      say(`${parameters} parameters, ${run.describe}, ${(bytes / 1e9).toPrecision(3)} GB on the device`);
    if (options.dryRun) {
      const { parameters, bytes } = await estimateTraining(device, config, run);
      tellSize(parameters, bytes);
      const owner = await runOwner(config.outDir);
      if (owner !== undefined)
        say(`${config.outDir} is in use by process ${owner}: until it ends, training is refused`);
      options.stdout.write(resolved);
      return;
    }
    const model = await createModel(device, config, run);
    toClose.push(() => model.dispose());
    const identity: RunIdentity = {
      model: model.description,
      tokenizer: run.tokenizer?.fingerprint ?? 'none',
      data: run.fingerprint,
    };
    const from = await checkpointToResume(config.outDir, identity, options);
    // Before anything in the folder changes.
    if (from && !options.force) await checkPosition(run.source, from);
    const step = from?.step ?? 0;
    await writeFile(join(config.outDir, RESOLVED), resolved);
    const log = await MetricsLog.open(config.outDir, step);
    const tensorboard = config.logger.tensorboard ? await TensorBoardLog.open(config.outDir, step) : undefined;
    if (tensorboard) toClose.push(() => tensorboard.close());
    const engine = createEngine(config, model, run.source.length);
    toClose.push(() => engine.dispose());
    prepareEngine(engine, run);
    const parameters = countParameters(model);
    tellSize(parameters, device.liveBuffers().bytes);
    line = new ProgressLine(progressStream, { maxSteps: config.train.maxSteps, step, signal: options.signal });
    toClose.push(() => line?.close());
    if (from === undefined) await removeResults(config.outDir);
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
      `trained ${result.step} steps; the model is in ${folder}${config.model.kind === 'xlstm-core' ? ' (for XLSTMLMModel of @xlstm/xlstm-core; xlstm generate takes xlstm-large only)' : ''}${result.best === undefined ? '' : `, the best (validation ${result.best.toFixed(4)} nats per token) in ${join(config.outDir, 'best')}`}`,
    );
    if (config.logger.report) {
      const metrics = await readMetrics(config.outDir);
      const contents = { title: config.outDir, config: resolved, metrics, parameters, device: device.name };
      say(`report: ${await writeReport(config.outDir, contents)}`);
    }
  } finally {
    for (const close of toClose.reverse()) await close();
  }
}

/** What an earlier run left in a folder that starts over. */
async function removeResults(outDir: string): Promise<void> {
  await removeCheckpoints(outDir);
  for (const name of ['best', 'model', REPORT]) await rm(join(outDir, name), { recursive: true, force: true });
}

function tellEvaluation(metrics: StepMetrics, say: (line: string) => void): void {
  const { step, validationLoss, accuracy, samples } = metrics;
  if (validationLoss !== undefined) say(`step ${step}: validation ${validationLoss.toFixed(4)} nats per token`);
  for (const [range, value] of Object.entries(accuracy ?? {})) {
    say(`step ${step}: accuracy at lengths ${range}: ${(100 * value).toFixed(1)} %`);
  }
  for (const { prompt, text } of samples ?? []) say(`  ${prompt}${text.replaceAll('\n', '\n  ')}`);
}
