import { type DeviceChoice, selectDevice } from '@xlstm/device';
import { openCheckpoint } from '@xlstm/loaders';
import { fromPretrained } from 'xlstm';
import type { Progress } from '../progress.ts';
import type { ConversionSource } from './source.ts';
import { type TensorError, tensorErrors } from './tensor-errors.ts';
import { type TextDivergence, textDivergence } from './text-divergence.ts';

/** What `--report` tells. */
export interface QualityReport {
  tensors: readonly TensorError[];
  /** Null without `--text`. */
  text: (TextDivergence & { device: string; computedIn: string }) | null;
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
 * Holds a converted model against its source: the error of each tensor and, on a text, both models' predictions. Both are
 * computed in float32 on one device, the result's weights multiplied out.
 */
export async function qualityReport(
  source: ConversionSource,
  out: string,
  { text, maxTokens, device: choice, signal, progress }: ReportOptions,
): Promise<QualityReport> {
  await using result = await openCheckpoint(out, { signal });
  const total = [...result.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  let done = 0;
  const tensors = await tensorErrors(source.checkpoint, result, signal, (bytes) => {
    done += bytes;
    progress.update('comparing tensors', done / total);
  });
  if (text === undefined) return { tensors, text: null };
  const { device, reason } = await selectDevice(choice);
  try {
    const load = { device, dtype: 'fp32', signal } as const;
    await using original = await fromPretrained(source.checkpoint, load);
    await using converted = await fromPretrained(result, load);
    const divergence = await textDivergence(original, converted, text, {
      maxTokens,
      signal,
      onProgress: (read, of) => progress.update(`reading ${of} tokens with both`, read / of),
    });
    return { tensors, text: { ...divergence, device: reason, computedIn: 'fp32' } };
  } finally {
    device.dispose();
    progress.clear();
  }
}
