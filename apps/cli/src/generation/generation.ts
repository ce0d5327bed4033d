import { randomInt } from 'node:crypto';
import type { FinishReason, XlstmState } from '@xlstm/xlstm-large';
import type { GenerateStream, XlstmModel } from 'xlstm';
import { formatCount } from '../human-readable.ts';
import { Progress } from '../progress.ts';
import { checkStateTarget, readStateFile, restoreState, writeStateFile } from '../state-files.ts';
import type { Context } from '../terminal.ts';
import { type GenerationFlags, samplingOptions } from './flags.ts';
import { loadModel } from './load-model.ts';
import type { GenerationReport } from './report.ts';
import { memoryUse, statisticsTable } from './statistics.ts';

/** Prompts up to this length are read before a bar would be seen. */
const LONG_PROMPT = 256;
/** Seeds that are drawn stay short enough to be typed. */
const SEED_LIMIT = 2 ** 31;

/** How `start` and `generate` differ. */
export interface GenerationManner {
  /** Print the prompt before its continuation. */
  echoPrompt: boolean;
  /** Say which device is used even where nobody watches. */
  alwaysSayDevice: boolean;
  /** Whether to end here, before `next`. */
  endsBefore?: (soFar: { text: string; tokens: number }, next: string) => boolean;
}

/** Loads the model, streams the text (or prints the JSON object), and releases everything, however it ends. */
export async function runGeneration(
  context: Context,
  flags: GenerationFlags,
  prompt: string,
  manner: GenerationManner,
): Promise<GenerationReport> {
  const { terminal, signal } = context;
  const talks = !flags.json && !flags.quiet;
  const progress = new Progress(terminal.stderr, talks);
  const saved = flags.stateIn === undefined ? undefined : await readStateFile(flags.stateIn);
  if (flags.stateOut !== undefined) await checkStateTarget(flags.stateOut);
  const begun = performance.now();
  let model: XlstmModel | undefined;
  let state: XlstmState | undefined;
  try {
    const device = talks && (manner.alwaysSayDevice || terminal.stderr.isTTY === true);
    model = await loadModel(context, flags, progress, { device, notes: !flags.quiet });
    const loadMs = performance.now() - begun;
    if (saved) state = restoreState(model, saved);
    else if (flags.stateOut !== undefined) state = model.createState();
    const seed = flags.seed ?? randomInt(SEED_LIMIT);
    const stream = model.generate(prompt, {
      ...samplingOptions(flags),
      seed,
      signal,
      ...(state && { state }),
      ...(flags.logprobs !== undefined && { logprobs: flags.logprobs }),
      onPrefill: (done, total) => {
        if (total > LONG_PROMPT) progress.update(`reading ${formatCount(total)} tokens`, done / total);
      },
    });
    const printed = await printStream(context, stream, flags.json ? undefined : prompt, progress, manner);
    const { timings, logprobs } = await stream.result();
    const report: GenerationReport = {
      model: flags.model,
      device: { kind: model.device.kind, name: model.device.name, reason: model.deviceReason },
      dtype: model.dtype,
      tokenizer: model.tokenizer.kind,
      seed,
      promptIds: stream.promptIds,
      ...printed,
      ...(logprobs && { logprobs }),
      position: state?.position ?? stream.promptIds.length + printed.ids.length,
      timings: { ...timings, loadMs },
    };
    if (flags.json) await context.output.write(`${JSON.stringify(report)}\n`);
    if (state && flags.stateOut !== undefined) await writeStateFile(flags.stateOut, await state.export());
    if (flags.stats) context.say(statisticsTable(report, memoryUse(model)));
    return report;
  } finally {
    progress.clear();
    state?.dispose();
    await model?.dispose();
  }
}

/** Prints the text as it comes, unless `prompt` is left out, and returns what there was. */
async function printStream(
  context: Context,
  stream: GenerateStream,
  prompt: string | undefined,
  progress: Progress,
  manner: GenerationManner,
): Promise<{ ids: number[]; text: string; finishReason: FinishReason }> {
  const ids: number[] = [];
  let text = '';
  let finishReason: FinishReason = 'length';
  const print = async (part: string) => {
    if (prompt !== undefined) await context.output.write(part);
  };
  let begun = false;
  for await (const chunk of stream) {
    if (!begun) {
      begun = true;
      progress.clear();
      if (manner.echoPrompt) await print(prompt ?? '');
    }
    if (manner.endsBefore?.({ text, tokens: ids.length }, chunk.text)) {
      // The last chunk knows why the model ended by itself; any other is one that we stop before.
      finishReason = chunk.finishReason ?? 'stop';
      break;
    }
    ids.push(...chunk.tokenIds);
    text += chunk.text;
    finishReason = chunk.finishReason ?? finishReason;
    await print(chunk.text);
  }
  if (prompt !== undefined) await context.output.endLine();
  return { ids, text, finishReason };
}
