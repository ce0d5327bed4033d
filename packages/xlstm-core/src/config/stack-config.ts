import { ConfigError } from '@xlstm/device';
import { parse } from 'yaml';
import { Fields } from './fields.ts';
import {
  type FeedForwardConfig,
  type MlstmLayerConfig,
  parseFeedForward,
  parseMlstmLayer,
  parseSlstmLayer,
  type SlstmLayerConfig,
} from './layer-config.ts';

/** Which blocks a stack is made of; made by `parseBlockStackConfig`. */
export interface XlstmBlockStackConfig {
  embeddingDim: number;
  numBlocks: number;
  /** Steps that a training sequence has; −1 when it is not said. Nothing computed depends on it. */
  contextLength: number;
  addPostBlocksNorm: boolean;
  /** Biases of the mLSTM layers' projections. */
  bias: boolean;
  dropout: number;
  /** Indices of the sLSTM blocks, from 0; all others are mLSTM blocks. */
  slstmAt: readonly number[];
  mlstm: MlstmLayerConfig | undefined;
  slstm: SlstmLayerConfig | undefined;
  /** After the sLSTM layers; `undefined` for none. */
  feedForward: FeedForwardConfig | undefined;
}

/** A language model around a stack; made by `parseLmModelConfig`. */
export interface XlstmLmModelConfig extends XlstmBlockStackConfig {
  vocabSize: number;
  /** Whether the head's weight is the embedding's. */
  tieWeights: boolean;
  weightDecayOnEmbedding: boolean;
  addEmbeddingDropout: boolean;
}

/** A configuration as people write it: the reference's fields as an object, or JSON or YAML text of them. */
export type ConfigInput = string | Readonly<Record<string, unknown>>;

function asObject(input: ConfigInput): unknown {
  if (typeof input !== 'string') return input;
  try {
    return parse(input) as unknown;
  } catch (error) {
    throw new ConfigError(`config: the text is neither JSON nor YAML: ${(error as Error).message}`, { cause: error });
  }
}

function parseSlstmAt(raw: unknown, numBlocks: number): readonly number[] {
  if (raw === 'all') return Array.from({ length: numBlocks }, (_, block) => block);
  if (raw === undefined) return [];
  if (!Array.isArray(raw))
    throw new ConfigError(`config: slstm_at must be a list of block indices or "all", got ${JSON.stringify(raw)}`);
  for (const index of raw as unknown[]) {
    if (!Number.isInteger(index) || (index as number) < 0 || (index as number) >= numBlocks) {
      throw new ConfigError(
        `config: slstm_at names block ${JSON.stringify(index)}; with num_blocks ${numBlocks} the indices are 0…${numBlocks - 1}`,
      );
    }
  }
  return [...new Set(raw as number[])].sort((a, b) => a - b);
}

function parseStack(fields: Fields): XlstmBlockStackConfig {
  const embeddingDim = fields.integer('embedding_dim', 128);
  const numBlocks = fields.integer('num_blocks', 1);
  const rawMlstm = fields.raw('mlstm_block');
  const rawSlstm = fields.raw('slstm_block');
  if (rawMlstm === undefined && rawSlstm === undefined) {
    throw new ConfigError('config: give mlstm_block or slstm_block; a stack without either has no blocks to make');
  }
  // As in the reference: without an mLSTM block every block is an sLSTM block.
  const named = parseSlstmAt(fields.raw('slstm_at'), numBlocks);
  const slstmAt = rawMlstm === undefined ? parseSlstmAt('all', numBlocks) : named;
  fields.ignore('_block_map');
  let mlstm: MlstmLayerConfig | undefined;
  if (rawMlstm !== undefined) {
    const block = new Fields('mlstm_block', rawMlstm);
    mlstm = parseMlstmLayer(block.raw('mlstm') ?? {}, embeddingDim);
    block.ignore('slstm', 'feedforward', '_num_blocks', '_block_idx');
    block.refuseUnknown();
  }
  let slstm: SlstmLayerConfig | undefined;
  let feedForward: FeedForwardConfig | undefined;
  if (rawSlstm !== undefined) {
    const block = new Fields('slstm_block', rawSlstm);
    slstm = parseSlstmLayer(block.raw('slstm') ?? {}, embeddingDim);
    const rawFeedForward = block.raw('feedforward');
    if (rawFeedForward !== undefined) feedForward = parseFeedForward(rawFeedForward, embeddingDim);
    block.ignore('mlstm', '_num_blocks', '_block_idx');
    block.refuseUnknown();
  }
  if (slstmAt.length > 0 && !slstm) {
    throw new ConfigError(`config: slstm_at names blocks ${slstmAt.join(', ')}, but there is no slstm_block; add one`);
  }
  return {
    embeddingDim,
    numBlocks,
    contextLength: fields.integer('context_length', -1, -1),
    addPostBlocksNorm: fields.boolean('add_post_blocks_norm', true),
    bias: fields.boolean('bias', false),
    dropout: fields.number('dropout', 0, 'a number in [0, 1)', (value) => value >= 0 && value < 1),
    slstmAt,
    mlstm,
    slstm,
    feedForward,
  };
}

/**
 * Reads the configuration of an `XLSTMBlockStack`: the reference's fields, as an object or as JSON or YAML text.
 * Defaults are the reference's. Fields that only choose its CUDA backend are known and have no effect here.
 *
 * @throws ConfigError that names the field, what was expected and what came; for an unknown field, the nearest known.
 * @example
 * ```ts
 * const config = parseBlockStackConfig('embedding_dim: 64\nnum_blocks: 2\nslstm_at: [1]\nmlstm_block: {}\nslstm_block: {}')
 * ```
 */
export function parseBlockStackConfig(input: ConfigInput): XlstmBlockStackConfig {
  const fields = new Fields('the configuration', asObject(input));
  const config = parseStack(fields);
  fields.refuseUnknown();
  return config;
}

/**
 * Reads the configuration of an `XLSTMLMModel`: that of its stack and `vocab_size`, `tie_weights`,
 * `weight_decay_on_embedding`, `add_embedding_dropout`.
 *
 * @throws ConfigError as `parseBlockStackConfig`.
 */
export function parseLmModelConfig(input: ConfigInput): XlstmLmModelConfig {
  const fields = new Fields('the configuration', asObject(input));
  const config: XlstmLmModelConfig = {
    ...parseStack(fields),
    vocabSize: fields.integer('vocab_size', undefined),
    tieWeights: fields.boolean('tie_weights', false),
    weightDecayOnEmbedding: fields.boolean('weight_decay_on_embedding', false),
    addEmbeddingDropout: fields.boolean('add_embedding_dropout', false),
  };
  fields.refuseUnknown();
  return config;
}
