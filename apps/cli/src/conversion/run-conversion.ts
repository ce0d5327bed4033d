import {
  CheckpointError,
  type DeviceChoice,
  isQuantizedDtype,
  type QuantizationGroup,
  type WeightDtype,
} from '@xlstm/device';
import { openCheckpoint } from '@xlstm/loaders';
import { storedDtype } from 'xlstm';
import { readTextFile } from '../evaluation/text-file.ts';
import { UsageError } from '../failures.ts';
import { formatBytes, formatCount } from '../human-readable.ts';
import { Progress } from '../progress.ts';
import type { Context } from '../terminal.ts';
import { convertModel } from './convert-model.ts';
import { checkApart } from './out-folder.ts';
import { type ConversionPlan, planConversion } from './plan.ts';
import { releaseAfter } from './release-after.ts';
import { type QualityReport, qualityReport } from './report.ts';
import { type ConversionSource, openConversionSource } from './source.ts';
import { verifyConversion } from './verify.ts';

/** The options of `convert`, as commander gives them. */
export interface ConversionFlags {
  dtype?: WeightDtype;
  groupSize: QuantizationGroup;
  shardSize: number;
  dryRun?: boolean;
  verify?: boolean;
  report?: boolean;
  text?: string;
  maxTokens: number;
  device: DeviceChoice;
  revision?: string;
  json?: boolean;
  quiet?: boolean;
}

/** What `convert --json` prints. */
export interface ConversionReport {
  model: string;
  out: string;
  dtype: WeightDtype;
  /** Null for float dtypes. */
  group: QuantizationGroup | null;
  dryRun: boolean;
  sourceBytes: number;
  /** Of all shards, headers included. */
  bytes: number;
  shards: readonly { file: string; bytes: number; sha256: string | null }[];
  fingerprint: string | null;
  smallFiles: readonly string[];
  verified: boolean;
  /** Null where nothing was converted. */
  seconds: number | null;
  quality: QualityReport | null;
}

/** @throws UsageError for options that do not go together. */
export function checkConversionFlags({ dtype, verify, report, dryRun, text }: ConversionFlags): void {
  if (verify && (dryRun || report))
    throw new UsageError('--verify goes without --dry-run and --report; run them one by one');
  if (dryRun && report)
    throw new UsageError('--report needs a converted model, and --dry-run writes none; leave one out');
  if (text !== undefined && !report) throw new UsageError('--text is what --report reads; add --report');
  if (dtype === undefined && !verify && !report) {
    throw new UsageError('--dtype must say what to convert to: q8, q4, bf16, fp16 or fp32');
  }
  if (dtype !== undefined && verify) {
    throw new UsageError('--verify takes the dtype from OUT; leave --dtype out');
  }
}

/** Refuses what would change nothing or lose twice. */
function checkDtype({ checkpoint }: ConversionSource, dtype: WeightDtype, model: string): void {
  const { quantization } = checkpoint;
  const stored = quantization?.dtype ?? storedDtype(checkpoint);
  if (stored === dtype) {
    throw new UsageError(`convert: ${model} is ${dtype} already; name another --dtype, or copy the folder`);
  }
  if (quantization && isQuantizedDtype(dtype)) {
    throw new CheckpointError(
      `convert: a model is quantised from floats, got ${model} in ${quantization.dtype}; convert the float model to ${dtype}, quantising twice would lose twice`,
    );
  }
}

/** Bar, bytes and time left; a line for each file where nobody watches. */
class ConversionProgress {
  readonly bar: Progress;
  readonly #plan: ConversionPlan;
  readonly #begun = performance.now();
  #done = 0;
  #skipped = 0;

  constructor(bar: Progress, plan: ConversionPlan) {
    this.bar = bar;
    this.#plan = plan;
  }

  add(bytes: number): void {
    this.#done += bytes;
    const { sourceBytes } = this.#plan;
    const elapsed = performance.now() - this.#begun;
    const worked = this.#done - this.#skipped;
    const left = worked > 0 ? (elapsed / worked) * (sourceBytes - this.#done) : Number.NaN;
    const eta = elapsed < 2000 || !Number.isFinite(left) ? '' : `, ${timeLeft(left)} left`;
    this.bar.update(
      `converting ${formatBytes(this.#done)} of ${formatBytes(sourceBytes)}${eta}`,
      this.#done / sourceBytes,
    );
  }

  /** What an earlier run did says nothing of this one's speed. */
  skip(bytes: number): void {
    this.#skipped += bytes;
  }
}

function timeLeft(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds < 90 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}

/** Runs the command; `onShard` hears of each finished file. */
export async function runConversion(
  context: Context,
  model: string,
  out: string,
  flags: ConversionFlags,
): Promise<ConversionReport> {
  const { terminal, signal } = context;
  checkConversionFlags(flags);
  const text = flags.text === undefined ? undefined : await readTextFile(flags.text, context);
  const bar = new Progress(terminal.stderr, !flags.json && !flags.quiet);
  try {
    const opened = await openConversionSource(model, { revision: flags.revision, signal, progress: bar });
    bar.clear();
    return await releaseAfter(opened, async (source) => {
      await checkApart(source.folder, out);
      const report = await converted(context, model, out, flags, source, bar);
      if (!flags.report) return report;
      const { device, maxTokens } = flags;
      const quality = await qualityReport(source, out, { text, maxTokens, device, signal, progress: bar });
      return { ...report, quality };
    });
  } finally {
    bar.clear();
  }
}

async function converted(
  context: Context,
  model: string,
  out: string,
  flags: ConversionFlags,
  source: ConversionSource,
  bar: Progress,
): Promise<ConversionReport> {
  const { signal } = context;
  if (flags.dtype === undefined) return existing(context, model, out, flags, source, bar);
  checkDtype(source, flags.dtype, model);
  const options = { dtype: flags.dtype, group: flags.groupSize, shardBytes: flags.shardSize };
  const plan = planConversion(source.checkpoint, options);
  const report: ConversionReport = {
    model,
    out,
    dtype: flags.dtype,
    group: isQuantizedDtype(flags.dtype) ? flags.groupSize : null,
    dryRun: flags.dryRun === true,
    sourceBytes: plan.sourceBytes,
    bytes: plan.bytes,
    shards: plan.shards.map(({ file, bytes }) => ({ file, bytes, sha256: null })),
    fingerprint: null,
    smallFiles: [],
    verified: false,
    seconds: null,
    quality: null,
  };
  const say = (line: string) => {
    if (flags.json || flags.quiet) return;
    bar.clear();
    context.say(line);
  };
  if (plan.unused.length > 0) say(`note: not part of the model and left out: ${plan.unused.join(', ')}`);
  if (flags.dryRun) return report;
  const progress = new ConversionProgress(bar, plan);
  let finished = 0;
  const begun = performance.now();
  try {
    const result = await convertModel(
      source,
      out,
      plan,
      {
        onBytes: (bytes) => progress.add(bytes),
        onShard: (shard, from) => {
          finished++;
          const at = plan.shards[finished - 1]!;
          if (from === 'before') progress.skip(at.weights.reduce((sum, { sourceBytes }) => sum + sourceBytes, 0));
          say(
            `${shard.file}: ${formatCount(shard.bytes)} bytes, ${finished} of ${plan.shards.length}${from === 'before' ? ', finished before' : ''}`,
          );
        },
      },
      signal,
    );
    const { shards, fingerprint, smallFiles } = result;
    return { ...report, shards, fingerprint, smallFiles, seconds: (performance.now() - begun) / 1000 };
  } catch (error) {
    if (signal.aborted) {
      say(
        `interrupted: ${finished} of ${plan.shards.length} files of ${out} are finished; the same command goes on from there`,
      );
    }
    throw error;
  }
}

/** A model that was converted before: looked at, or held against its source byte by byte. */
async function existing(
  { signal }: Context,
  model: string,
  out: string,
  flags: ConversionFlags,
  source: ConversionSource,
  bar: Progress,
): Promise<ConversionReport> {
  return releaseAfter(await openCheckpoint(out, { signal }), async (result) => {
    const { quantization } = result;
    const verification = flags.verify
      ? await verifyConversion(source, out, signal, (done, total) => bar.update(`verifying ${out}`, done / total))
      : undefined;
    const files = new Map([...result.tensors.values()].map(({ source: file }) => [file.name, file.size]));
    return {
      model,
      out,
      dtype: quantization?.dtype ?? storedDtype(result),
      group: quantization?.group ?? null,
      dryRun: false,
      sourceBytes: [...source.checkpoint.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0),
      bytes: [...files.values()].reduce((sum, bytes) => sum + bytes, 0),
      shards: [...files].map(([file, bytes]) => ({ file, bytes, sha256: null })),
      fingerprint: quantization?.fingerprint ?? null,
      smallFiles: [],
      verified: verification !== undefined,
      seconds: null,
      quality: null,
    };
  });
}
