import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  bytesSource,
  type Checkpoint,
  encodeSafetensors,
  fileSource,
  openCheckpoint,
  openSafetensors,
  type Quantization,
  type TensorInfo,
} from '@xlstm/loaders';
import { InputOutputError } from '../failures.ts';

/** A file of a model's folder. */
export interface ModelFile {
  name: string;
  bytes: number;
}

/** What could be read of a model, sound or broken. Only headers and small files were. */
export interface ModelContents {
  files: readonly ModelFile[];
  config: Readonly<Record<string, unknown>> | undefined;
  format: Checkpoint['configFormat'] | undefined;
  tensors: ReadonlyMap<string, TensorInfo>;
  /** How matrices are quantised; undefined where they are not, or where that is broken. */
  quantization: Quantization | undefined;
  tokenizerJson: Readonly<Record<string, unknown>> | undefined;
  tokenizerConfig: Readonly<Record<string, unknown>> | undefined;
  /** What is wrong, in sentences. */
  problems: string[];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function filesOf(folder: string): Promise<ModelFile[]> {
  try {
    const names = (await readdir(folder)).sort();
    const found = await Promise.all(
      // A link that leads nowhere is no file; what misses it will say so.
      names.map(async (name) => ({ name, info: await stat(join(folder, name)).catch(() => undefined) })),
    );
    return found.flatMap(({ name, info }) => (info?.isFile() ? [{ name, bytes: info.size }] : []));
  } catch (cause) {
    throw new InputOutputError(
      `inspect: cannot list the folder ${folder}: ${messageOf(cause)}; name a folder that holds a checkpoint`,
      { cause },
    );
  }
}

/**
 * Reads a checkpoint as the models do or, where that fails, whatever of it can be read file by file.
 *
 * @throws InputOutputError when there is no such folder.
 */
export async function readModel(folder: string, signal: AbortSignal): Promise<ModelContents> {
  const files = await filesOf(folder);
  const problems: string[] = [];
  const contents = {
    files,
    config: undefined,
    format: undefined,
    quantization: undefined,
    tokenizerJson: undefined,
    tokenizerConfig: undefined,
  };
  let checkpoint: Checkpoint | undefined;
  let tensors: ReadonlyMap<string, TensorInfo>;
  try {
    checkpoint = await openCheckpoint(folder, { signal });
    tensors = checkpoint.tensors;
  } catch (error) {
    signal.throwIfAborted();
    problems.push(messageOf(error));
    tensors = await readableTensors(folder, files, problems, signal);
    checkpoint = await withoutWeights(folder, files, signal);
  }
  if (!checkpoint) return { ...contents, tensors, problems };
  try {
    return {
      files,
      config: checkpoint.config,
      format: checkpoint.configFormat,
      tensors,
      quantization: checkpoint.quantization,
      tokenizerJson: await checkpoint.tokenizerJson?.().catch((error: unknown) => {
        problems.push(messageOf(error));
        return undefined;
      }),
      tokenizerConfig: checkpoint.tokenizerConfig,
      problems,
    };
  } finally {
    await checkpoint.close();
  }
}

/** The tensors of every safetensors file that is sound by itself. */
async function readableTensors(
  folder: string,
  files: readonly ModelFile[],
  problems: string[],
  signal: AbortSignal,
): Promise<Map<string, TensorInfo>> {
  const tensors = new Map<string, TensorInfo>();
  for (const { name: file } of files.filter(({ name }) => name.endsWith('.safetensors'))) {
    try {
      const source = await fileSource(join(folder, file));
      try {
        const opened = await openSafetensors(source, { signal });
        for (const [name, info] of opened.tensors) tensors.set(name, info);
      } finally {
        await source.close();
      }
    } catch (error) {
      signal.throwIfAborted();
      const problem = messageOf(error);
      // The checkpoint as a whole often failed for this very reason.
      if (!problems.includes(problem)) problems.push(problem);
    }
  }
  return tensors;
}

/** A checkpoint's small files read as ever, with an empty file in the place of its weights. */
async function withoutWeights(
  folder: string,
  files: readonly ModelFile[],
  signal: AbortSignal,
): Promise<Checkpoint | undefined> {
  const empty = encodeSafetensors([]);
  for (const [config, weights] of [
    ['config.json', 'model.safetensors'],
    ['config.yaml', 'model_0.safetensors'],
  ] as const) {
    if (!files.some(({ name }) => name === config)) continue;
    const others = ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json'];
    const small = files.filter(({ name }) => name === config || others.includes(name));
    try {
      const sources = await Promise.all(small.map(({ name }) => fileSource(join(folder, name))));
      const checkpoint = await openCheckpoint([...sources, bytesSource(empty, weights)], { signal });
      const close = async () => {
        await checkpoint.close();
        for (const source of sources) await source.close();
      };
      return { ...checkpoint, close, [Symbol.asyncDispose]: close };
    } catch {
      signal.throwIfAborted();
      // The configuration itself is broken; opening the whole checkpoint has said so.
    }
  }
  return undefined;
}
