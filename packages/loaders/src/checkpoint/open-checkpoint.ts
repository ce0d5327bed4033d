import { CheckpointError } from '@xlstm/device';
import type { ByteSource } from '../byte-source/byte-source.ts';
import { parseQuantization } from '../quantization/quantization-block.ts';
import { type Quantization, quantizationOf } from '../quantization/quantized-matrices.ts';
import type { TensorInfo } from '../safetensors/header.ts';
import { type CheckpointFiles, lentFiles, listed, readJsonObject, readText } from './checkpoint-files.ts';
import { hasHuggingFaceWeights, huggingFaceTensors, INDEX_FILE, SINGLE_FILE } from './huggingface-layout.ts';
import { hasNativeWeights, NATIVE_CONFIG, nativeConfig, nativeTensors } from './native-layout.ts';

/** An open checkpoint: small files parsed, every safetensors header checked, tensors still on disk. */
export interface Checkpoint extends AsyncDisposable {
  /** `config.json` or `config.yaml` with its published field names; its meaning is the model's to check. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly configFormat: 'huggingface' | 'native';
  /**
   * As they are stored, by their names in the Hugging Face layout, whichever layout they came in. Of a quantised checkpoint
   * some are codes and scales: `weightShape` and `streamWeight` give what they stand for.
   */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** How matrices are quantised, where they are: codes and scales paired and checked. */
  readonly quantization?: Quantization;
  /** `generation_config.json`, where there is one. */
  readonly generationConfig?: Readonly<Record<string, unknown>>;
  /** Reads and parses `tokenizer.json`, where there is one. */
  readonly tokenizerJson?: () => Promise<Readonly<Record<string, unknown>>>;
  /** `tokenizer_config.json`, where there is one; with `chat_template.jinja`, where there is one, as its `chat_template`. */
  readonly tokenizerConfig?: Readonly<Record<string, unknown>>;
  /** Closes the files that `openCheckpoint` opened; sources that were handed in stay open. */
  close(): Promise<void>;
}

const MAX_CONFIG_BYTES = 16 * 1024 * 1024;
const MAX_TOKENIZER_BYTES = 256 * 1024 * 1024;

/**
 * Opens a checkpoint in the Hugging Face layout (`config.json` with `model.safetensors`, or with
 * `model.safetensors.index.json` and its shards) or in the reference's (`config.yaml` with `model_0.safetensors`,
 * `model_1.safetensors`, …). With both, the Hugging Face layout counts. No tensor is read yet.
 *
 * @param from a folder's path (Node only), or sources named as the files are. Sources stay the caller's to close; so
 * that downloads fit in, `CheckpointFiles` are taken too, and closed by `close`.
 * @throws CheckpointError for a folder without a checkpoint, a missing or doubled shard or tensor, an index that names
 * a file outside its folder, damaged files, codes that do not go with their scales or configuration; then nothing stays open. `signal.reason` when aborted.
 * @example
 * await using checkpoint = await openCheckpoint('models/stories');
 * const embedding = await loadTensor(checkpoint.tensors.get('backbone.embeddings.weight')!, 'fp32');
 */
export async function openCheckpoint(
  from: string | readonly ByteSource[] | CheckpointFiles,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Checkpoint> {
  options.signal?.throwIfAborted();
  const files = await filesOf(from);
  try {
    return await readCheckpoint(files, options.signal);
  } catch (error) {
    await files.close();
    throw error;
  }
}

async function filesOf(from: string | readonly ByteSource[] | CheckpointFiles): Promise<CheckpointFiles> {
  if (typeof from === 'string') return (await import('../node/folder-files.ts')).folderFiles(from);
  return 'open' in from ? from : lentFiles(from);
}

/** Newer checkpoints keep the chat template in a file of its own, which then counts. */
const CHAT_TEMPLATE = 'chat_template.jinja';

async function tokenizerConfigOf(
  files: CheckpointFiles,
  signal: AbortSignal | undefined,
): Promise<Pick<Checkpoint, 'tokenizerConfig'>> {
  const { names } = files;
  const config = names.includes('tokenizer_config.json')
    ? await readJsonObject(files, 'tokenizer_config.json', MAX_CONFIG_BYTES, signal)
    : undefined;
  if (!names.includes(CHAT_TEMPLATE)) return config ? { tokenizerConfig: config } : {};
  return {
    tokenizerConfig: { ...config, chat_template: await readText(files, CHAT_TEMPLATE, MAX_CONFIG_BYTES, signal) },
  };
}

async function readCheckpoint(files: CheckpointFiles, signal: AbortSignal | undefined): Promise<Checkpoint> {
  const { names } = files;
  const json = (name: string): Promise<Readonly<Record<string, unknown>>> =>
    readJsonObject(files, name, MAX_CONFIG_BYTES, signal);
  const isHuggingFace = names.includes('config.json') && hasHuggingFaceWeights(names);
  const isNative = names.includes(NATIVE_CONFIG) && hasNativeWeights(names);
  if (!isHuggingFace && !isNative) {
    throw new CheckpointError(
      `openCheckpoint: ${files.place} holds no checkpoint; looked for config.json with ${SINGLE_FILE} or ${INDEX_FILE}, and for ${NATIVE_CONFIG} with model_0.safetensors; found ${listed(names)}; name the folder that holds these files`,
    );
  }
  const config = isHuggingFace ? await json('config.json') : await nativeConfig(files, signal);
  const tensors = isHuggingFace ? await huggingFaceTensors(files, signal) : await nativeTensors(files, signal);
  const block = isHuggingFace ? parseQuantization(config, files.place) : undefined;
  const quantization = quantizationOf(block, tensors, files.place);
  const close = (): Promise<void> => files.close();
  return {
    config,
    configFormat: isHuggingFace ? 'huggingface' : 'native',
    tensors,
    ...(quantization && { quantization }),
    ...(names.includes('generation_config.json') && { generationConfig: await json('generation_config.json') }),
    ...(await tokenizerConfigOf(files, signal)),
    ...(names.includes('tokenizer.json') && {
      tokenizerJson: () => readJsonObject(files, 'tokenizer.json', MAX_TOKENIZER_BYTES, undefined),
    }),
    close,
    [Symbol.asyncDispose]: close,
  };
}
