import { join } from 'node:path';
import { convertedPieces, SafetensorsWriter } from '@xlstm/loaders';
import type { Fingerprint } from '@xlstm/xlstm-large';
import type { FinishedShard } from './journal.ts';
import { FILE_METADATA, type PlannedShard, type PlannedWeight } from './plan.ts';
import { releaseAfter } from './release-after.ts';
import type { ConversionSource } from './source.ts';

/** What converting a weight needs. */
export interface ShardWork {
  source: ConversionSource;
  group: 32 | 64 | 128;
  /** Of all weights before; undefined where it is not computed. */
  fingerprint: Fingerprint | undefined;
  signal: AbortSignal;
  /** Called with what was read of the source. */
  onBytes(bytes: number): void;
}

/** Converts a weight, piece by piece; `take` gets each piece's data for each tensor. */
export async function convertWeight(
  weight: PlannedWeight,
  { source, group, fingerprint, signal, onBytes }: ShardWork,
  take: (name: string, data: ArrayBufferView) => Promise<void>,
): Promise<void> {
  const { name, shape, dtype, tensors, sourceBytes } = weight;
  const elements = shape.reduce((product, size) => product * size, 1);
  fingerprint?.name(name, shape);
  for await (const { elementOffset, values, data } of convertedPieces(source.checkpoint, name, dtype, group, signal)) {
    fingerprint?.piece(values, elementOffset);
    for (const [at, { name: tensor }] of tensors.entries()) await take(tensor, data[at]!);
    onBytes((sourceBytes * values.length) / elements);
  }
}

/** Writes one file of the result whole or not at all. */
export async function convertShard(out: string, shard: PlannedShard, work: ShardWork): Promise<FinishedShard> {
  const file = await SafetensorsWriter.create(join(out, shard.file), shard.tensors, FILE_METADATA);
  return releaseAfter(file, async (writer) => {
    for (const weight of shard.weights) {
      await convertWeight(weight, work, (name, data) => writer.write(name, data, work.signal));
    }
    const { byteLength, sha256 } = await writer.finish(work.signal);
    return { file: shard.file, bytes: byteLength, sha256, fingerprint: work.fingerprint?.digest() ?? null };
  });
}
