import { randomInt } from 'node:crypto';
import type { BatchChunk, BatchStream, GenerateResult, XlstmModel } from 'xlstm';
import { UsageError } from '../failures.ts';
import { formatCount, formatMs, formatRate, formatTable } from '../human-readable.ts';
import { modelLabel } from '../installed.ts';
import { Progress } from '../progress.ts';
import type { Context } from '../terminal.ts';
import { type GenerationFlags, samplingOptions } from './flags.ts';
import { loadModel } from './load-model.ts';
import { type FilePrompt, readPrompts } from './prompts-file.ts';

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

/** Continues the prompts of a file together and prints what becomes of them in order, each as soon as those before it are over. */
export async function runBatch(context: Context, flags: GenerationFlags): Promise<void> {
  checkFlags(flags);
  const prompts = await readPrompts(flags.promptsFile!, context);
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
    const seed = flags.seed ?? randomInt(SEED_LIMIT);
    const batch = model.generateBatch(prompts, {
      ...samplingOptions(flags),
      seed,
      maxBatch: flags.batchSize ?? DEFAULT_BATCH_SIZE,
      signal,
      ...(flags.logprobs !== undefined && { logprobs: flags.logprobs }),
    });
    const show = flags.json ? jsonLine : textUnderPrompt;
    const waiting = prompts.map(
      (given, index) => new Continuation(given, index, batch.promptIds[index]!, { ...flags, seed }),
    );
    await printInOrder(context, waiting, batch, progress, show);
    if (flags.stats) context.say(statistics(flags, model, await batch.result(), performance.now() - begun));
  } finally {
    progress.clear();
    await model?.dispose();
  }
}

/** The flags, and a seed where none was given. */
type DrawnFlags = GenerationFlags & { seed: number };

/** What has come of one prompt so far. */
class Continuation {
  over = false;
  readonly #report: Omit<BatchReport, 'finishReason' | 'timings'>;
  readonly #ids: number[] = [];
  readonly #logprobs: NonNullable<BatchChunk['logprobs']>[number][] = [];
  #last: BatchChunk | undefined;

  constructor({ prompt, options }: FilePrompt, index: number, promptIds: readonly number[], flags: DrawnFlags) {
    const seed = Number(options.seed ?? flags.seed + index);
    const likely = flags.logprobs === undefined ? {} : { logprobs: this.#logprobs };
    this.#report = { index, prompt, seed, promptIds, ids: this.#ids, text: '', ...likely };
  }

  take(chunk: BatchChunk): void {
    this.#ids.push(...chunk.tokenIds);
    this.#logprobs.push(...(chunk.logprobs ?? []));
    this.#report.text += chunk.text;
    if (!chunk.finishReason) return;
    this.over = true;
    this.#last = chunk;
  }

  /** The whole of it, once it is over. */
  get report(): BatchReport {
    const { finishReason, timings } = this.#last!;
    return { ...this.#report, finishReason: finishReason!, timings: timings! };
  }
}

const jsonLine = (report: BatchReport): string => `${JSON.stringify(report)}\n`;

/** A prompt of several lines is named on one. */
const textUnderPrompt = ({ index, prompt, text }: BatchReport): string =>
  `--- ${index + 1}: ${prompt.replaceAll('\r', '\\r').replaceAll('\n', '\\n')}\n${text}${text.endsWith('\n') ? '' : '\n'}`;

/** Prints what is over as soon as all before it is: an interruption loses nothing that could have been printed. */
async function printInOrder(
  context: Context,
  waiting: readonly Continuation[],
  batch: BatchStream,
  progress: Progress,
  show: (report: BatchReport) => string,
): Promise<void> {
  let [printed, over, tokens] = [0, 0, 0];
  for await (const chunk of batch) {
    waiting[chunk.index]!.take(chunk);
    tokens += chunk.tokenIds.length;
    if (chunk.finishReason) over++;
    for (; waiting[printed]?.over; printed++) {
      progress.clear();
      await context.output.write(show(waiting[printed]!.report));
    }
    const label = `${over} of ${waiting.length} texts, ${formatCount(tokens)} tokens`;
    progress.update(label, over / waiting.length);
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
    ['prompts', `${formatCount(results.length)}, ${flags.batchSize ?? DEFAULT_BATCH_SIZE} at a time`],
    ['prefill', `${sum(({ usage }) => usage.promptTokens)} tokens in ${formatMs(prefillMs)}`],
    [
      'all',
      `${tokens} new tokens in ${formatMs(milliseconds)}, ${formatRate((1000 * tokens) / milliseconds)} tokens/s`,
    ],
  ]);
}
