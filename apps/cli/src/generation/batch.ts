import { randomInt } from 'node:crypto';
import type { BatchStream, GenerateResult, XlstmModel } from 'xlstm';
import { UsageError } from '../failures.ts';
import { formatMs, formatRate, formatTable } from '../human-readable.ts';
import { modelLabel } from '../installed.ts';
import { Progress } from '../progress.ts';
import type { Context } from '../terminal.ts';
import { type GenerationFlags, samplingOptions } from './flags.ts';
import { loadModel } from './load-model.ts';
import { promptLines } from './prompt.ts';

/** Seeds that are drawn stay short enough to be typed. */
const SEED_LIMIT = 2 ** 31;
const DEFAULT_BATCH_SIZE = 8;

/** One line of `--prompts-file … --json`. */
export interface BatchReport {
  index: number;
  prompt: string;
  seed: number;
  promptIds: readonly number[];
  ids: readonly number[];
  text: string;
  /** One entry per id, where `--logprobs` asked for them. */
  logprobs?: GenerateResult['logprobs'];
  finishReason: GenerateResult['finishReason'];
  timings: GenerateResult['timings'];
}

function checkFlags(flags: GenerationFlags): void {
  const clash = {
    '--prompt': flags.prompt,
    '--prompt-file': flags.promptFile,
    '--state-in': flags.stateIn,
    '--state-out': flags.stateOut,
  };
  for (const [name, value] of Object.entries(clash)) {
    if (value !== undefined)
      throw new UsageError(`${name} is for one prompt and --prompts-file for many; use one of them`);
  }
}

/** Continues the prompts of a file together and prints their texts in order, each as soon as those before it are there. */
export async function runBatch(context: Context, flags: GenerationFlags): Promise<void> {
  checkFlags(flags);
  const prompts = await promptLines(flags.promptsFile!, context);
  const { terminal, signal } = context;
  const talks = !flags.json && !flags.quiet;
  const progress = new Progress(terminal.stderr, talks);
  let model: XlstmModel | undefined;
  try {
    model = await loadModel(context, flags, progress, {
      device: talks && terminal.stderr.isTTY === true,
      notes: !flags.quiet,
    });
    const begun = performance.now();
    const batch = model.generateBatch(prompts, {
      ...samplingOptions(flags),
      seed: flags.seed ?? randomInt(SEED_LIMIT),
      maxBatch: flags.batchSize ?? DEFAULT_BATCH_SIZE,
      signal,
      ...(flags.logprobs !== undefined && { logprobs: flags.logprobs }),
    });
    await printInOrder(context, flags, prompts, batch, progress);
    if (flags.stats) context.say(statistics(flags, model, await batch.result(), performance.now() - begun));
  } finally {
    progress.clear();
    await model?.dispose();
  }
}

/** Prints what is whole as soon as all before it is; JSON when all is done. */
async function printInOrder(
  context: Context,
  flags: GenerationFlags,
  prompts: readonly string[],
  batch: BatchStream,
  progress: Progress,
): Promise<void> {
  const texts = prompts.map(() => ({ text: '', over: false }));
  let [printed, over] = [0, 0];
  for await (const { index, text, finishReason } of batch) {
    texts[index]!.text += text;
    if (!finishReason) continue;
    texts[index]!.over = true;
    over++;
    progress.update(`${over} of ${prompts.length} texts`, over / prompts.length);
    if (flags.json) continue;
    for (; texts[printed]?.over; printed++) {
      progress.clear();
      await context.output.write(`--- ${printed + 1}: ${prompts[printed]}\n${texts[printed]!.text}`);
      await context.output.endLine();
    }
  }
  progress.clear();
  if (!flags.json) return;
  for (const [index, { tokenIds, usage: _, ...rest }] of (await batch.result()).entries()) {
    const report: BatchReport = { index, prompt: prompts[index]!, ids: tokenIds, ...rest };
    await context.output.write(`${JSON.stringify(report)}\n`);
  }
}

/** The table that `--stats` prints: what the batch did in all. */
function statistics(
  flags: GenerationFlags,
  model: XlstmModel,
  results: readonly GenerateResult[],
  milliseconds: number,
): string {
  const sum = (count: (result: GenerateResult) => number) => results.reduce((total, each) => total + count(each), 0);
  const tokens = sum(({ usage }) => usage.completionTokens);
  const prefillMs = sum(({ timings }) => timings.prefillMs);
  return formatTable([
    ['model', `${modelLabel(flags.model)}, ${model.dtype}`],
    ['device', model.deviceReason],
    ['prompts', `${results.length}, ${flags.batchSize ?? DEFAULT_BATCH_SIZE} at a time`],
    ['prefill', `${sum(({ usage }) => usage.promptTokens)} tokens in ${formatMs(prefillMs)}`],
    [
      'all',
      `${tokens} new tokens in ${formatMs(milliseconds)}, ${formatRate((1000 * tokens) / milliseconds)} tokens/s`,
    ],
  ]);
}
