import { ConfigError } from '@xlstm/device';

/** What an xLSTM Large model is, in TypeScript's names. Made from either published format by `parseConfig`. */
export interface XlstmLargeConfig {
  embeddingDim: number;
  numHeads: number;
  numBlocks: number;
  vocabSize: number;
  /** Biases on all projections and norms but the head; the gates always have one. */
  useBias: boolean;
  normEps: number;
  /** Added to the cell's denominator. */
  cellEps: number;
  addOutNorm: boolean;
  qkDimFactor: number;
  vDimFactor: number;
  /** `exp` as published, `sigmoid` for models trained with the "siging" kernels. */
  inputGate: 'exp' | 'sigmoid';
  ffnProjFactor: number;
  ffnRoundUpToMultipleOf: number;
  gateSoftCap: number;
  outputLogitSoftCap: number;
  tieWordEmbeddings: boolean;
  bosTokenId: number | undefined;
  eosTokenIds: readonly number[];
  padTokenId: number | undefined;
}

/** Which of the two published formats a raw configuration is in. */
export type ConfigFormat = 'huggingface' | 'native';

/** A bound against hostile configurations: tables are made per block. The 7B model has 32. */
const MOST_BLOCKS = 4096;

type Raw = Readonly<Record<string, unknown>>;

/** Reads fields of a raw configuration with typed errors that name the field. */
class Fields {
  readonly #raw: Raw;

  constructor(raw: Raw) {
    this.#raw = raw;
  }

  /** The first of `names` that is present and not null. */
  #find(names: readonly string[]): { name: string; value: unknown } | undefined {
    for (const name of names) {
      const value = this.#raw[name];
      if (value !== undefined && value !== null) return { name, value };
    }
    return undefined;
  }

  number(names: readonly string[], fallback?: number): number {
    const found = this.#find(names);
    if (!found) {
      if (fallback !== undefined) return fallback;
      throw new ConfigError(`config: ${names.join(' or ')} is missing; expected a positive number`);
    }
    const { name, value } = found;
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
      throw new ConfigError(`config: ${name} must be a positive finite number, got ${String(value)}`);
    }
    return value;
  }

  integer(names: readonly string[], fallback?: number): number {
    const value = this.number(names, fallback);
    if (!Number.isSafeInteger(value)) throw new ConfigError(`config: ${names[0]} must be an integer, got ${value}`);
    return value;
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.#find([name])?.value ?? fallback;
    if (typeof value !== 'boolean') {
      throw new ConfigError(`config: ${name} must be true or false, got ${JSON.stringify(value)}`);
    }
    return value;
  }

  text(name: string): string | undefined {
    const value = this.#find([name])?.value;
    if (value === undefined) return undefined;
    if (typeof value !== 'string') {
      throw new ConfigError(`config: ${name} must be a string, got ${JSON.stringify(value)}`);
    }
    return value;
  }

  tokenIds(name: string, vocabSize: number): number[] {
    const value = this.#find([name])?.value;
    if (value === undefined) return [];
    const ids = Array.isArray(value) ? value : [value];
    for (const id of ids) {
      if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
        throw new ConfigError(`config: ${name} must be a token id below ${vocabSize}, got ${JSON.stringify(id)}`);
      }
    }
    return ids as number[];
  }
}

/** The size fields that Hugging Face writes twice must agree. */
function requireAgreement(raw: Raw, left: string, right: string): void {
  const [a, b] = [raw[left], raw[right]];
  if (a !== undefined && a !== null && b !== undefined && b !== null && a !== b) {
    throw new ConfigError(
      `config: ${left} (${String(a)}) and ${right} (${String(b)}) must agree; they name the same size`,
    );
  }
}

function inputGateOf(fields: Fields): 'exp' | 'sigmoid' {
  const names = ['chunkwise_kernel', 'sequence_kernel', 'step_kernel'].map((name) => fields.text(name) ?? '');
  return names.some((name) => name.includes('siging')) ? 'sigmoid' : 'exp';
}

/**
 * Reads a configuration in the Hugging Face format (`config.json`, `model_type: xlstm`) or the reference's own
 * (`config.yaml`). Defaults are those of the published xLSTM Large configuration. Fields that choose kernels, chunk
 * sizes or dtypes of the PyTorch stack say nothing about the function computed and are not read, but for the input gate.
 *
 * @throws ConfigError that names the field, what was expected and what came.
 * @example
 * ```ts
 * const config = parseConfig({ model_type: 'xlstm', hidden_size: 4096, num_heads: 8, num_hidden_layers: 32, vocab_size: 50304 }, 'huggingface')
 * ```
 */
export function parseConfig(raw: unknown, format: ConfigFormat): XlstmLargeConfig {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw new ConfigError(
      `config: expected an object, got ${Array.isArray(raw) ? 'an array' : raw === null ? 'null' : typeof raw}`,
    );
  }
  const record = raw as Raw;
  const fields = new Fields(record);
  const modelType = fields.text('model_type');
  if (format === 'huggingface' && modelType === undefined) {
    throw new ConfigError('config: model_type is missing; expected "xlstm"');
  }
  if (modelType !== undefined && modelType !== 'xlstm') {
    throw new ConfigError(
      `config: model_type "${modelType}" is not supported; this package runs "xlstm" (xLSTM Large) checkpoints`,
    );
  }
  const weightMode = fields.text('weight_mode') ?? 'single';
  if (weightMode !== 'single' && weightMode !== 'fused') {
    throw new ConfigError(`config: weight_mode must be "single" or "fused", got "${weightMode}"`);
  }
  requireAgreement(record, 'hidden_size', 'embedding_dim');
  requireAgreement(record, 'num_hidden_layers', 'num_blocks');
  const vocabSize = fields.integer(['vocab_size']);
  const [bosTokenId] = fields.tokenIds('bos_token_id', vocabSize);
  const [padTokenId] = fields.tokenIds('pad_token_id', vocabSize);
  const config: XlstmLargeConfig = {
    embeddingDim: fields.integer(['embedding_dim', 'hidden_size']),
    numHeads: fields.integer(['num_heads']),
    numBlocks: fields.integer(['num_blocks', 'num_hidden_layers']),
    vocabSize,
    useBias: fields.boolean('use_bias', false),
    normEps: fields.number(['norm_eps'], 1e-6),
    cellEps: fields.number(['eps'], 1e-6),
    addOutNorm: fields.boolean('add_out_norm', true),
    qkDimFactor: fields.number(['qk_dim_factor'], 0.5),
    vDimFactor: fields.number(['v_dim_factor'], 1),
    inputGate: inputGateOf(fields),
    ffnProjFactor: fields.number(['ffn_proj_factor'], 2.667),
    ffnRoundUpToMultipleOf: fields.integer(['ffn_round_up_to_multiple_of'], 64),
    gateSoftCap: fields.number(['gate_soft_cap'], 15),
    outputLogitSoftCap: fields.number(['output_logit_soft_cap'], 30),
    tieWordEmbeddings: fields.boolean('tie_word_embeddings', false),
    bosTokenId,
    eosTokenIds: fields.tokenIds('eos_token_id', vocabSize),
    padTokenId,
  };
  if (config.numBlocks > MOST_BLOCKS) {
    throw new ConfigError(
      `config: num_blocks must be at most ${MOST_BLOCKS}, got ${config.numBlocks}; no such model is known`,
    );
  }
  if (config.embeddingDim % config.numHeads !== 0) {
    throw new ConfigError(
      `config: embedding_dim must be divisible by num_heads, got ${config.embeddingDim} and ${config.numHeads}`,
    );
  }
  return config;
}

/** Sizes that follow from a configuration, or were taken from the checkpoint's tensors. */
export interface XlstmLargeDims {
  /** Width of q and of k over all heads. */
  qkDim: number;
  /** Width of v and of the output gate over all heads. */
  vDim: number;
  /** Inner width of the feed-forward. */
  ffnDim: number;
  DHQK: number;
  DHHV: number;
}

function roundUp(value: number, multiple: number): number {
  return Math.floor((value + multiple - 1) / multiple) * multiple;
}

/**
 * The sizes that a configuration may mean: the original truncates `embedding_dim · factor`, transformers rounds it
 * up to a multiple of 64. The first is the original's.
 */
export function candidateWidths(config: XlstmLargeConfig): { qkDim: number[]; vDim: number[]; ffnDim: number[] } {
  const qk = config.embeddingDim * config.qkDimFactor;
  const v = config.embeddingDim * config.vDimFactor;
  return {
    qkDim: [...new Set([Math.trunc(qk), roundUp(qk, 64)])],
    vDim: [...new Set([Math.trunc(v), roundUp(v, 64)])],
    ffnDim: [roundUp(config.embeddingDim * config.ffnProjFactor, config.ffnRoundUpToMultipleOf)],
  };
}

/** Head sizes for given widths. @throws ConfigError when heads do not divide them. */
export function dimsOf(config: XlstmLargeConfig, qkDim: number, vDim: number, ffnDim: number): XlstmLargeDims {
  const { numHeads } = config;
  for (const [name, width] of [
    ['qk_dim', qkDim],
    ['v_dim', vDim],
  ] as const) {
    if (width % numHeads !== 0) {
      throw new ConfigError(
        `config: num_heads must divide ${name}, got ${numHeads} heads and ${name} ${width}; change num_heads or the dim factor`,
      );
    }
  }
  return { qkDim, vDim, ffnDim, DHQK: qkDim / numHeads, DHHV: vDim / numHeads };
}

/** The sizes of a model made from a configuration alone, as the original computes them. */
export function defaultDims(config: XlstmLargeConfig): XlstmLargeDims {
  const { qkDim, vDim, ffnDim } = candidateWidths(config);
  return dimsOf(config, qkDim[0]!, vDim[0]!, ffnDim[0]!);
}
