import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CheckpointError } from '@xlstm/device';
import { encodeFromFloat32 } from '@xlstm/device/dtypes';
import { writeSafetensors } from '@xlstm/loaders';
import type { XlstmLargeConfig, XlstmLargeDims } from '@xlstm/xlstm-large';
import type { HostTensor } from '../training/trainable-model.ts';

/** What goes into an exported folder. */
export interface ExportedModel {
  config: XlstmLargeConfig;
  dims: XlstmLargeDims;
  weights: AsyncIterable<HostTensor> | Iterable<HostTensor>;
  dtype: 'fp32' | 'bf16';
  /** The text of a `tokenizer.json`; absent for bytes. */
  tokenizerJson?: string | undefined;
  /** The special token that documents begin with. */
  beginToken: string;
}

const CHUNK_SIZE = 64;

/** Fields that transformers takes as floats only: an integer there is refused. */
const FLOATS = [
  'norm_eps',
  'eps',
  'qk_dim_factor',
  'v_dim_factor',
  'ffn_proj_factor',
  'gate_soft_cap',
  'output_logit_soft_cap',
] as const;

/** JSON in which floats are written as floats: JavaScript would write 1.0 as 1. */
export function configJson(config: Readonly<Record<string, unknown>>): string {
  const lines = JSON.stringify(config, null, 2).split('\n');
  const isFloat = (line: string) => FLOATS.some((name) => line.trimStart().startsWith(`"${name}":`));
  return `${lines.map((line) => (isFloat(line) ? line.replace(/(: -?\d+)(,?)$/, '$1.0$2') : line)).join('\n')}\n`;
}

/** The configuration as Hugging Face's transformers writes it for `xLSTMForCausalLM`. */
export function huggingFaceConfig(config: XlstmLargeConfig, dtype: 'fp32' | 'bf16'): Record<string, unknown> {
  const sigmoid = config.inputGate === 'sigmoid';
  return {
    architectures: ['xLSTMForCausalLM'],
    model_type: 'xlstm',
    dtype: dtype === 'bf16' ? 'bfloat16' : 'float32',
    vocab_size: config.vocabSize,
    hidden_size: config.embeddingDim,
    embedding_dim: config.embeddingDim,
    num_hidden_layers: config.numBlocks,
    num_blocks: config.numBlocks,
    num_heads: config.numHeads,
    use_bias: config.useBias,
    norm_reduction_force_float32: true,
    tie_word_embeddings: config.tieWordEmbeddings,
    add_out_norm: config.addOutNorm,
    norm_eps: config.normEps,
    eps: config.cellEps,
    qk_dim_factor: config.qkDimFactor,
    v_dim_factor: config.vDimFactor,
    ffn_proj_factor: config.ffnProjFactor,
    ffn_round_up_to_multiple_of: config.ffnRoundUpToMultipleOf,
    gate_soft_cap: config.gateSoftCap,
    output_logit_soft_cap: config.outputLogitSoftCap,
    weight_mode: 'single',
    chunkwise_kernel: sigmoid ? 'chunkwise--native_autograd_siging' : 'chunkwise--native_autograd',
    sequence_kernel: 'native_sequence__native',
    step_kernel: sigmoid ? 'native_siging' : 'native',
    mode: 'inference',
    chunk_size: CHUNK_SIZE,
    return_last_states: true,
    autocast_kernel_dtype: 'float32',
    inference_state_dtype: 'float32',
    max_inference_chunksize: 16384,
    use_cache: true,
    bos_token_id: config.bosTokenId,
    eos_token_id: config.eosTokenIds.length === 1 ? config.eosTokenIds[0] : config.eosTokenIds,
    pad_token_id: config.padTokenId ?? config.eosTokenIds[0] ?? 0,
  };
}

async function writeSynced(path: string, value: unknown): Promise<void> {
  const handle = await open(path, 'w');
  try {
    await handle.writeFile(typeof value === 'string' ? value : `${JSON.stringify(value, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Undoes what a killed export left: what it had put aside takes its place again, what it had not finished goes. */
async function clearUp(folder: string): Promise<void> {
  const own = `${basename(folder)}.`;
  const names = (await readdir(dirname(folder))).filter(
    (name) => name.startsWith(own) && /\.\d+\.(tmp|old)$/.test(name),
  );
  for (const name of names) {
    const left = join(dirname(folder), name);
    const isThere = await stat(folder).catch(() => undefined);
    if (name.endsWith('.old') && !isThere) await rename(left, folder);
    else await rm(left, { recursive: true, force: true });
  }
}

/** Has a folder written under a temporary name, which then takes the place of what was there. */
async function writeWholeFolder(folder: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${folder}.${process.pid}.tmp`;
  const old = `${folder}.${process.pid}.old`;
  try {
    await mkdir(dirname(folder), { recursive: true });
    await clearUp(folder);
    await mkdir(temporary);
    await write(temporary);
    await rename(folder, old).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    try {
      await rename(temporary, folder);
    } catch (error) {
      await rename(old, folder).catch(() => {});
      throw error;
    }
    await rm(old, { recursive: true, force: true });
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw new CheckpointError(
      `export: cannot write ${folder}: ${(cause as Error).message}; make room or choose another folder`,
      { cause },
    );
  }
}

/**
 * Writes a folder that `xlstm generate --model` and Hugging Face's transformers load: whole or not at all, in the place
 * of what was there.
 *
 * @throws CheckpointError when the disk refuses; a folder that was there is as it was.
 */
export async function exportHuggingFace(folder: string, model: ExportedModel): Promise<void> {
  await writeWholeFolder(folder, async (temporary) => {
    const tensors = [];
    for await (const { name, shape, data } of model.weights) {
      tensors.push(
        model.dtype === 'fp32'
          ? { name, shape, dtype: 'F32' as const, data }
          : { name, shape, dtype: 'BF16' as const, data: encodeFromFloat32(data, 'bf16') },
      );
    }
    await writeSafetensors(join(temporary, 'model.safetensors'), tensors, { metadata: { format: 'pt' } });
    const config = huggingFaceConfig(model.config, model.dtype);
    await writeSynced(join(temporary, 'config.json'), configJson(config));
    const { bos_token_id, eos_token_id, pad_token_id } = config;
    await writeSynced(join(temporary, 'generation_config.json'), { bos_token_id, eos_token_id, pad_token_id });
    if (model.tokenizerJson !== undefined) {
      await writeSynced(join(temporary, 'tokenizer.json'), model.tokenizerJson);
      await writeSynced(join(temporary, 'tokenizer_config.json'), {
        tokenizer_class: 'PreTrainedTokenizerFast',
        bos_token: model.beginToken,
        eos_token: model.beginToken,
        unk_token: model.beginToken,
        add_prefix_space: false,
        add_bos_token: true,
      });
    }
  });
}

/**
 * Writes a core model's weights and configuration, which the reference's `xlstm` package reads: whole or not at all, in the
 * place of what was there.
 *
 * @throws CheckpointError when the disk refuses; a folder that was there is as it was.
 */
export async function exportCore(
  folder: string,
  model: {
    config: Readonly<Record<string, unknown>>;
    weights: AsyncIterable<HostTensor>;
    tokenizerJson?: string | undefined;
  },
): Promise<void> {
  await writeWholeFolder(folder, async (temporary) => {
    const tensors = [];
    for await (const { name, shape, data } of model.weights) tensors.push({ name, shape, dtype: 'F32' as const, data });
    await writeSafetensors(join(temporary, 'model.safetensors'), tensors);
    await writeSynced(join(temporary, 'config.json'), model.config);
    if (model.tokenizerJson !== undefined) await writeSynced(join(temporary, 'tokenizer.json'), model.tokenizerJson);
  });
}
