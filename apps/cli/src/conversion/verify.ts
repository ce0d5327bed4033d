import { CheckpointError } from '@xlstm/device';
import { type Checkpoint, openCheckpoint, readTensorBytes } from '@xlstm/loaders';
import { Fingerprint } from '@xlstm/xlstm-large';
import { storedDtype } from 'xlstm';
import { convertWeight } from './convert-shard.ts';
import { planConversion } from './plan.ts';
import { releaseAfter } from './release-after.ts';
import type { ConversionSource } from './source.ts';

/** What `--verify` finds. */
export interface Verification {
  tensors: number;
  bytes: number;
  fingerprint: string | null;
}

/**
 * Converts a model once more, in memory and piece by piece, and holds every byte against what is in the folder.
 *
 * @throws CheckpointError that names the first tensors that differ; and what opening the folder throws.
 */
export async function verifyConversion(
  source: ConversionSource,
  out: string,
  signal: AbortSignal,
  onBytes: (done: number, total: number) => void,
): Promise<Verification> {
  return releaseAfter(await openCheckpoint(out, { signal }), (result) =>
    verifyOpened(source, out, result, signal, onBytes),
  );
}

async function verifyOpened(
  source: ConversionSource,
  out: string,
  result: Checkpoint,
  signal: AbortSignal,
  onBytes: (done: number, total: number) => void,
): Promise<Verification> {
  const { quantization } = result;
  const dtype = quantization?.dtype ?? storedDtype(result);
  const group = quantization?.group ?? 32;
  const plan = planConversion(source.checkpoint, { dtype, group, shardBytes: Number.MAX_SAFE_INTEGER });
  const fingerprint = source.checkpoint.quantization ? undefined : new Fingerprint();
  const different: string[] = [];
  let tensors = 0;
  let bytes = 0;
  let done = 0;
  const work = {
    source,
    group,
    fingerprint,
    signal,
    onBytes(read: number) {
      done += read;
      onBytes(done, plan.sourceBytes);
    },
  };
  for (const weight of plan.shards.flatMap(({ weights }) => weights)) {
    const offsets = new Map<string, number>();
    for (const planned of weight.tensors) {
      const found = result.tensors.get(planned.name);
      tensors++;
      if (found?.dtype === planned.dtype && `${found.shape}` === `${planned.shape}`) offsets.set(planned.name, 0);
      else different.push(planned.name);
    }
    await convertWeight(weight, work, async (name, data) => {
      const offset = offsets.get(name);
      if (offset === undefined) return;
      const wanted = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      const stored = await readTensorBytes(result.tensors.get(name)!, { offset, length: wanted.length, signal });
      if (Buffer.compare(wanted, stored) === 0) {
        offsets.set(name, offset + wanted.length);
        bytes += wanted.length;
      } else {
        offsets.delete(name);
        different.push(name);
      }
    });
  }
  const digest = fingerprint?.digest() ?? null;
  if (quantization && digest !== null && quantization.fingerprint !== digest) different.push('the fingerprint');
  if (different.length > 0) {
    throw new CheckpointError(
      `convert: ${out} is not what MODEL gives in ${dtype}: ${different.length} of ${tensors} tensors differ, ${different.slice(0, 4).join(', ')}${different.length > 4 ? ', …' : ''}; it is damaged or of another model or release: remove it and convert again`,
    );
  }
  return { tensors, bytes, fingerprint: digest };
}
