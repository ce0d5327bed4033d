import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { defaultDims, parameterTable, parseConfig } from '@xlstm/xlstm-large';

/** What was written: sizes in bytes, of the file's own dtype. */
export interface SparseCheckpoint {
  totalBytes: number;
  largestTensorBytes: number;
}

const BYTES = { F32: 4, BF16: 2 } as const;

/**
 * Writes a checkpoint of any size that takes no disk: headers are real, the tensors are holes in sparse files, which read
 * as zeros. Sharded as published checkpoints are. For measuring what loading costs.
 */
export function writeSparseCheckpoint(
  folder: string,
  rawConfig: Record<string, unknown>,
  dtype: keyof typeof BYTES,
  shards = 3,
): SparseCheckpoint {
  mkdirSync(folder, { recursive: true });
  const config = parseConfig(rawConfig, 'huggingface');
  const { tensors } = parameterTable(config, defaultDims(config));
  const weightMap: Record<string, string> = {};
  const sizes = tensors.map(({ shape }) => BYTES[dtype] * shape.reduce((product, size) => product * size, 1));
  const perShard = Math.ceil(tensors.length / shards);
  for (let shard = 0; shard < shards; shard++) {
    const name = `model-${String(shard + 1).padStart(5, '0')}-of-${String(shards).padStart(5, '0')}.safetensors`;
    const header: Record<string, unknown> = {};
    let offset = 0;
    for (let at = shard * perShard; at < Math.min(tensors.length, (shard + 1) * perShard); at++) {
      const { name: tensor, shape } = tensors[at]!;
      header[tensor] = { dtype, shape, data_offsets: [offset, offset + sizes[at]!] };
      offset += sizes[at]!;
      weightMap[tensor] = name;
    }
    const text = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    const file = openSync(join(folder, name), 'w');
    writeSync(file, length);
    writeSync(file, text);
    ftruncateSync(file, 8 + text.length + offset);
    closeSync(file);
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(rawConfig));
  const totalBytes = sizes.reduce((sum, size) => sum + size, 0);
  const index = { metadata: { total_size: totalBytes }, weight_map: weightMap };
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
  return { totalBytes, largestTensorBytes: Math.max(...sizes) };
}
