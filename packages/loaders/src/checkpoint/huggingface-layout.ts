import { CheckpointError } from '@xlstm/device';
import { quoted } from '../json/quoted.ts';
import { parseStrictJson, type StrictJson } from '../json/strict-json.ts';
import type { TensorInfo } from '../safetensors/header.ts';
import { MAX_HEADER_BYTES, openSafetensors } from '../safetensors/open-safetensors.ts';
import { type CheckpointFiles, listed, readText } from './checkpoint-files.ts';

export const SINGLE_FILE = 'model.safetensors';
export const INDEX_FILE = 'model.safetensors.index.json';

/** Whether the weights are there in the layout that `save_pretrained` of transformers writes. */
export function hasHuggingFaceWeights(names: readonly string[]): boolean {
  return names.includes(SINGLE_FILE) || names.includes(INDEX_FILE);
}

/** Every tensor, headers checked. With both a single file and an index the single file counts, as in transformers. */
export async function huggingFaceTensors(
  files: CheckpointFiles,
  signal: AbortSignal | undefined,
): Promise<Map<string, TensorInfo>> {
  if (files.names.includes(SINGLE_FILE)) {
    return (await openSafetensors(await files.open(SINGLE_FILE), { signal })).tensors;
  }
  const weightMap = await readWeightMap(files, signal);
  const shards = [...new Set(weightMap.values())].sort();
  for (const shard of shards) {
    if (!files.names.includes(shard)) {
      throw new CheckpointError(
        `openCheckpoint: shard ${shard} is missing from ${files.place}, though ${INDEX_FILE} names it; found ${listed(files.names)}; fetch the missing file`,
      );
    }
  }
  const tensors = new Map<string, TensorInfo>();
  for (const shard of shards) {
    const file = await openSafetensors(await files.open(shard), { signal });
    for (const [name, info] of file.tensors) {
      const other = tensors.get(name);
      if (other) {
        throw new CheckpointError(
          `openCheckpoint: a tensor must lie in one shard, got ${quoted(name)} in both ${other.source.name} and ${shard}; the shards are of different checkpoints, fetch them again`,
        );
      }
      tensors.set(name, info);
    }
  }
  checkWeightMap(weightMap, tensors);
  return tensors;
}

/** The index's shard for each tensor, every name checked. */
export async function readWeightMap(
  files: CheckpointFiles,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, string>> {
  const where = `openCheckpoint: ${INDEX_FILE} of ${files.place}`;
  const root = parseStrictJson(await readText(files, INDEX_FILE, MAX_HEADER_BYTES, signal), where);
  const weightMap = root instanceof Map ? (root.get('weight_map') as StrictJson | undefined) : undefined;
  if (!(weightMap instanceof Map) || weightMap.size === 0) {
    throw new CheckpointError(
      `${where}: weight_map must name a shard for each tensor, got ${quoted(weightMap)}; fetch the file again`,
    );
  }
  for (const [tensor, shard] of weightMap) {
    // A list of what is allowed, since what leads elsewhere (.., /, \, C:, %2e, NUL) cannot be listed safely.
    if (typeof shard !== 'string' || shard.length > 255 || !/^\w[\w.+-]*\.safetensors$/.test(shard)) {
      throw new CheckpointError(
        `${where}: tensor ${quoted(tensor)} must lie in a .safetensors file of the same folder, got ${quoted(shard)}; do not use this checkpoint unless you know its author`,
      );
    }
  }
  return weightMap as ReadonlyMap<string, string>;
}

/** The index and the shards must tell the same story, else one of them is of another checkpoint. */
function checkWeightMap(weightMap: ReadonlyMap<string, string>, tensors: ReadonlyMap<string, TensorInfo>): void {
  const advice = 'index and shards are of different checkpoints, fetch them again';
  for (const [name, shard] of weightMap) {
    const found = tensors.get(name)?.source.name;
    if (found !== shard) {
      throw new CheckpointError(
        `openCheckpoint: ${INDEX_FILE} says that ${quoted(name)} is in ${shard}, which lacks it${found ? ` (it is in ${found})` : ''}; ${advice}`,
      );
    }
  }
  for (const [name, info] of tensors) {
    if (!weightMap.has(name)) {
      throw new CheckpointError(
        `openCheckpoint: ${INDEX_FILE} must name every tensor, got none for ${quoted(name)} of ${info.source.name}; ${advice}`,
      );
    }
  }
}
