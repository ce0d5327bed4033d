import { CheckpointError, type DeviceChoice, selectDevice, type WeightDtype } from '@xlstm/device';
import { type Checkpoint, openCheckpoint, weightShape } from '@xlstm/loaders';
import { parseConfig, planParameters } from '@xlstm/xlstm-large';
import { fromPretrained } from 'xlstm';
import type { Progress } from '../progress.ts';
import { releaseAfter } from './release-after.ts';
import type { ConversionSource } from './source.ts';
import { type TensorError, tensorErrors } from './tensor-errors.ts';
import { type TextDivergence, textDivergence } from './text-divergence.ts';

/** What `--report` tells. */
export interface QualityReport {
  tensors: readonly TensorError[];
  /** Null without `--text`. */
  text: (TextDivergence & { device: string; computedIn: { source: WeightDtype; result: WeightDtype } }) | null;
}

/** @throws CheckpointError where the two are not of one model. */
function weightNames({ checkpoint }: ConversionSource, result: Checkpoint): string[] {
  const config = parseConfig(result.config, result.configFormat);
  const { table } = planParameters(config, (name) => weightShape(result, name));
  for (const { name, shape } of table.tensors) {
    const found = weightShape(checkpoint, name);
    if (`${found}` === `${shape}`) continue;
    throw new CheckpointError(
      `convert: --report compares ${name} [${shape}] with [${found ?? 'no such tensor'}] of MODEL; the two are of different models, name the one that OUT was converted from`,
    );
  }
  return table.tensors.map(({ name }) => name);
}

/** How a report is made. */
export interface ReportOptions {
  text: string | undefined;
  maxTokens: number;
  device: DeviceChoice;
  signal: AbortSignal;
  progress: Progress;
}

/**
 * Holds a converted model against its source: the error of each tensor and, on a text, both models' predictions, on one
 * device. The source computes in float32, the result in what it is stored in, as it does for whoever loads it.
 */
export async function qualityReport(
  source: ConversionSource,
  out: string,
  { text, maxTokens, device: choice, signal, progress }: ReportOptions,
): Promise<QualityReport> {
  return releaseAfter(await openCheckpoint(out, { signal }), async (result) => {
    const total = [...result.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    let done = 0;
    const tensors = await tensorErrors(source.checkpoint, result, weightNames(source, result), signal, (bytes) => {
      done += bytes;
      progress.update('comparing tensors', done / total);
    });
    if (text === undefined) return { tensors, text: null };
    const { device, reason } = await selectDevice(choice);
    try {
      const load = { device, signal };
      return await releaseAfter(await fromPretrained(source.checkpoint, { ...load, dtype: 'fp32' }), async (original) =>
        releaseAfter(await fromPretrained(result, load), async (converted) => {
          const divergence = await textDivergence(original, converted, text, {
            maxTokens,
            signal,
            onProgress: (read, of) => progress.update(`reading ${of} tokens with both`, read / of),
          });
          const computedIn = { source: original.dtype, result: converted.dtype };
          return { tensors, text: { ...divergence, device: reason, computedIn } };
        }),
      );
    } finally {
      device.dispose();
      progress.clear();
    }
  });
}
