import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { defaultDims, parameterTable, parseConfig } from '@xlstm/xlstm-large';

/** What was written: sizes in bytes, of the file's own dtype. */
export interface SparseCheckpoint {
  totalBytes: number;
  largestTensorBytes: number;
}

/** The shape of xLSTM 7B. */
export const SEVEN_B = {
  model_type: 'xlstm',
  hidden_size: 4096,
  num_heads: 8,
  num_hidden_layers: 32,
  vocab_size: 50304,
  bos_token_id: 0,
  eos_token_id: 2,
} as const;

/** Why a folder cannot hold sparse files with `bytes` in the largest; `undefined` where it can. Leaves nothing behind. */
export function whyNotSparse(folder: string, bytes: number): string | undefined {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'hole');
  try {
    const file = openSync(path, 'w');
    try {
      // Small at first: where a hole is not free, a large one would take its time.
      ftruncateSync(file, 2 ** 24);
      const { blocks } = statSync(path);
      if (!Number.isFinite(blocks)) return 'this system does not tell what files take on disk';
      if (512 * blocks > 2 ** 20) return `files are not sparse in ${folder}`;
      ftruncateSync(file, bytes);
    } finally {
      closeSync(file);
    }
    return undefined;
  } catch (error) {
    return `${folder} holds no sparse file of ${bytes} bytes: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    rmSync(path, { force: true });
  }
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
