import { CheckpointError } from '@xlstm/device';
import { quoted } from '../json/quoted.ts';
import type { TensorInfo } from '../safetensors/header.ts';
import { openSafetensors } from '../safetensors/open-safetensors.ts';
import { asRecord, type CheckpointFiles, readText } from './checkpoint-files.ts';

export const NATIVE_CONFIG = 'config.yaml';
/** The reference writes some hundred bytes; a YAML parser is too slow to be given megabytes. */
const MAX_YAML_BYTES = 1024 * 1024;
export const NUMBERED: RegExp = /^model_(0|[1-9]\d{0,8})\.safetensors$/;

/** Whether the weights are there in the layout of the reference implementation. */
export function hasNativeWeights(names: readonly string[]): boolean {
  return names.some((name) => NUMBERED.test(name));
}

/** The reference's `config.yaml`. */
export async function nativeConfig(
  files: CheckpointFiles,
  signal: AbortSignal | undefined,
): Promise<Readonly<Record<string, unknown>>> {
  const text = await readText(files, NATIVE_CONFIG, MAX_YAML_BYTES, signal);
  const { parse } = await import('yaml');
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new CheckpointError(
      `openCheckpoint: ${NATIVE_CONFIG} of ${files.place} must be YAML: ${said}; mend the file or fetch it again`,
      { cause: error },
    );
  }
  return asRecord(value, NATIVE_CONFIG, files);
}

/** Every tensor of `model_0.safetensors`, `model_1.safetensors`, …, under the names of the Hugging Face layout. */
export async function nativeTensors(
  files: CheckpointFiles,
  signal: AbortSignal | undefined,
): Promise<Map<string, TensorInfo>> {
  const numbers = files.names.flatMap((name) => NUMBERED.exec(name)?.[1] ?? []).map(Number);
  numbers.sort((a, b) => a - b);
  numbers.forEach((number, index) => {
    if (number !== index) {
      throw new CheckpointError(
        `openCheckpoint: shard model_${index}.safetensors is missing from ${files.place}, which goes on to model_${numbers.at(-1)}.safetensors; fetch the missing file`,
      );
    }
  });
  const tensors = new Map<string, TensorInfo>();
  for (const number of numbers) {
    const file = await openSafetensors(await files.open(`model_${number}.safetensors`), { signal });
    for (const info of file.tensors.values()) {
      const name = info.name === 'embedding.weight' ? 'backbone.embeddings.weight' : info.name;
      const other = tensors.get(name);
      if (other) {
        throw new CheckpointError(
          `openCheckpoint: a tensor must come once, got ${quoted(name)} from ${other.source.name} and from ${info.source.name}; the files are of different checkpoints, fetch them again`,
        );
      }
      tensors.set(name, { ...info, name });
    }
  }
  return tensors;
}
