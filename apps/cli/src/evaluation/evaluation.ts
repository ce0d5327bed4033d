import { type Evaluation, evaluateText, type XlstmModel } from 'xlstm';
import { UsageError } from '../failures.ts';
import type { LoadFlags } from '../generation/flags.ts';
import { loadModel } from '../generation/load-model.ts';
import { formatCount, formatMs, formatRate, formatTable } from '../human-readable.ts';
import { modelLabel } from '../installed.ts';
import { Progress } from '../progress.ts';
import type { Context } from '../terminal.ts';
import { readTextFile } from './text-file.ts';

/** The options of `eval`, as commander gives them. */
export interface EvaluationFlags extends LoadFlags {
  text: string;
  context?: number;
  stride?: number;
  maxTokens?: number;
  json?: boolean;
  quiet?: boolean;
}

/** What `eval --json` prints. */
export interface EvaluationReport extends Evaluation {
  model: string;
  device: { kind: string; name: string; reason: string };
  dtype: string;
  tokenizer: string;
  /** Where the text came from. */
  text: string;
  /** Tokens of a window; null where the state was carried through the whole text. */
  context: number | null;
  stride: number | null;
  loadMs: number;
}

/** @throws UsageError for windows that make no sense. */
export function checkWindowFlags({ context, stride }: Pick<EvaluationFlags, 'context' | 'stride'>): void {
  if (stride !== undefined && context === undefined) {
    throw new UsageError('--stride says how far windows move on, and there are none without --context; add --context');
  }
  if (stride !== undefined && context !== undefined && stride > context) {
    throw new UsageError(
      `--stride must be at most --context, else tokens between windows would be left out; got ${stride} and ${context}`,
    );
  }
}

/** Loads the model, evaluates the text, and releases everything, however it ends. */
export async function evaluate(context: Context, modelName: string, flags: EvaluationFlags): Promise<EvaluationReport> {
  const { terminal, signal } = context;
  const talks = !flags.json && !flags.quiet;
  const text = await readTextFile(flags.text, context);
  if (!/\S/.test(text)) {
    const place = flags.text === '-' ? 'stdin' : flags.text;
    throw new UsageError(`--text: ${place} is empty; name a file with text in it`);
  }
  const progress = new Progress(terminal.stderr, talks);
  const begun = performance.now();
  let model: XlstmModel | undefined;
  try {
    const show = { device: false, notes: !flags.quiet };
    model = await loadModel(context, { ...flags, model: modelName }, progress, show);
    const loadMs = performance.now() - begun;
    const evaluation = await evaluateText(model, text, {
      context: flags.context,
      stride: flags.stride,
      maxTokens: flags.maxTokens,
      signal,
      onProgress: (done, total) => progress.update(`reading ${formatCount(total)} tokens`, done / total),
    });
    return {
      model: modelName,
      device: { kind: model.device.kind, name: model.device.name, reason: model.deviceReason },
      dtype: model.dtype,
      tokenizer: model.tokenizer.kind,
      text: flags.text,
      context: flags.context ?? null,
      stride: flags.stride ?? flags.context ?? null,
      ...evaluation,
      loadMs,
    };
  } finally {
    progress.clear();
    await model?.dispose();
  }
}

/** The report for people. */
export function evaluationText(report: EvaluationReport): string {
  const { documents, context, stride } = report;
  const place = report.text === '-' ? 'stdin' : report.text;
  return `${formatTable([
    ['model', `${modelLabel(report.model)}, ${report.dtype}`],
    ['device', report.device.reason],
    [
      'text',
      `${place}: ${formatCount(documents)} document${documents === 1 ? '' : 's'}, ${formatCount(report.bytes)} bytes, ${formatCount(report.tokens)} tokens predicted`,
    ],
    [
      'state',
      context === null
        ? 'carried through the whole text'
        : `empty at each window of ${formatCount(context)} tokens, the last ${formatCount(stride!)} of which count`,
    ],
    ['loss', `${report.loss.toFixed(4)} nats per token`],
    ['perplexity', `${report.perplexity.toPrecision(5)} per token`],
    ['bits', `${report.bitsPerByte.toFixed(4)} per byte`],
    ['speed', `${formatRate(report.tokensPerSecond)} tokens/s, ${formatMs(1000 * report.seconds)}`],
  ])}\n`;
}
