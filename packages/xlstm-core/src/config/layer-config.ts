import { ConfigError } from '@xlstm/device';
import { GATED_ACTIVATIONS, type GatedActivation } from '../layers/activation.ts';
import { Fields } from './fields.ts';

/** The mLSTM layer: an up-projection around convolution, block-diagonal q, k, v and the cell. */
export interface MlstmLayerConfig {
  /** Steps that the causal convolution sees. */
  conv1dKernelSize: number;
  /** Width of one block of the block-diagonal q, k and v projections. */
  qkvProjBlocksize: number;
  numHeads: number;
  projFactor: number;
  /** Width of the layer inside: `projFactor · embeddingDim`, rounded to a multiple of 64. */
  innerDim: number;
}

/** How a new sLSTM cell's bias is filled. */
export type SlstmBiasInit = 'powerlaw_blockdependent' | 'small_init' | 'standard' | 'zeros';

/** The sLSTM layer: convolution, head-wise gates, the cell with its recurrent weights, head norm. */
export interface SlstmLayerConfig {
  numHeads: number;
  /** 0 for no convolution. */
  conv1dKernelSize: number;
  groupNormWeight: boolean;
  biasInit: SlstmBiasInit;
  recurrentWeightInit: 'zeros' | 'standard';
  /** No gradient through the recurrent connection. */
  gradientRecurrentCut: boolean;
  /** The gradient through the recurrent connection is kept within ± this. */
  gradientRecurrentClipval: number | undefined;
  /** The output is kept within ± this. */
  forwardClipval: number | undefined;
}

/** The gated feed-forward that follows an sLSTM layer. */
export interface FeedForwardConfig {
  projFactor: number;
  actFn: GatedActivation;
  dropout: number;
  bias: boolean;
  /** `projFactor · embeddingDim`, rounded to a multiple of 64. */
  innerDim: number;
}

/** Fields of a layer that every one of them gets from the stack; in files they may be repeated. */
const FROM_THE_STACK = ['embedding_dim', 'bias', 'dropout', 'context_length'] as const;

/** What the reference derives and writes along when it saves a configuration. */
const DERIVED = ['_num_blocks', '_block_idx', '_inner_embedding_dim', '_proj_up_dim'] as const;

/** Of the reference's sLSTM: how its CUDA extension is built and fed, not what it computes. */
const SLSTM_BACKEND = [
  'backend',
  'hidden_size',
  'num_states',
  'num_gates',
  'batch_size',
  'input_shape',
  'internal_input_shape',
  'output_shape',
  'constants',
  'dtype',
  'dtype_b',
  'dtype_r',
  'dtype_w',
  'dtype_g',
  'dtype_s',
  'dtype_a',
  'enable_automatic_mixed_precision',
  'initial_val',
] as const;

function innerDim(fields: Fields, factor: number, embeddingDim: number): number {
  const up = fields.boolean('round_proj_up_dim_up', true);
  const multiple = fields.integer('round_proj_up_to_multiple_of', 64);
  const dim = (up ? Math.ceil : Math.floor)((factor * embeddingDim) / multiple) * multiple;
  if (dim < 1) {
    throw new ConfigError(
      `config: proj_factor ${factor} of embedding_dim ${embeddingDim}, rounded down to a multiple of ${multiple}, is 0; raise either`,
    );
  }
  return dim;
}

function requireDivides(what: string, divisor: number, width: string, value: number): void {
  if (value % divisor !== 0) {
    throw new ConfigError(`config: ${what} must divide ${width}, got ${divisor} and ${value}; change one of them`);
  }
}

/** Reads an `mlstm` section. */
export function parseMlstmLayer(raw: unknown, embeddingDim: number): MlstmLayerConfig {
  const fields = new Fields('mlstm_block.mlstm', raw);
  const projFactor = fields.number('proj_factor', 2, 'a positive number', (value) => value > 0);
  const config: MlstmLayerConfig = {
    conv1dKernelSize: fields.integer('conv1d_kernel_size', 4),
    qkvProjBlocksize: fields.integer('qkv_proj_blocksize', 4),
    numHeads: fields.integer('num_heads', 4),
    projFactor,
    innerDim: innerDim(fields, projFactor, embeddingDim),
  };
  fields.ignore(...FROM_THE_STACK, ...DERIVED);
  fields.refuseUnknown();
  requireDivides('mlstm_block.mlstm.num_heads', config.numHeads, 'its inner width', config.innerDim);
  requireDivides('mlstm_block.mlstm.qkv_proj_blocksize', config.qkvProjBlocksize, 'its inner width', config.innerDim);
  return config;
}

/** Reads an `slstm` section. */
export function parseSlstmLayer(raw: unknown, embeddingDim: number): SlstmLayerConfig {
  const fields = new Fields('slstm_block.slstm', raw);
  const cell = fields.oneOf('function', ['slstm'], 'slstm');
  const config: SlstmLayerConfig = {
    numHeads: fields.integer('num_heads', 4),
    conv1dKernelSize: fields.integer('conv1d_kernel_size', 4, 0),
    groupNormWeight: fields.boolean('group_norm_weight', true),
    biasInit: fields.oneOf(
      'bias_init',
      ['powerlaw_blockdependent', 'small_init', 'standard', 'zeros'],
      'powerlaw_blockdependent',
    ),
    recurrentWeightInit: fields.oneOf('recurrent_weight_init', ['zeros', 'standard'], 'zeros'),
    gradientRecurrentCut: fields.boolean('gradient_recurrent_cut', false),
    gradientRecurrentClipval: fields.optionalPositive('gradient_recurrent_clipval'),
    forwardClipval: fields.optionalPositive('forward_clipval'),
  };
  fields.ignore(...FROM_THE_STACK, ...DERIVED, ...SLSTM_BACKEND);
  fields.refuseUnknown();
  requireDivides(`slstm_block.slstm.num_heads of a cell ${cell}`, config.numHeads, 'embedding_dim', embeddingDim);
  return config;
}

/** Reads a `feedforward` section. */
export function parseFeedForward(raw: unknown, embeddingDim: number): FeedForwardConfig {
  const fields = new Fields('slstm_block.feedforward', raw);
  const projFactor = fields.number('proj_factor', 1.3, 'a positive number', (value) => value > 0);
  fields.oneOf('ff_type', ['ffn_gated'], 'ffn_gated');
  const config: FeedForwardConfig = {
    projFactor,
    actFn: fields.oneOf('act_fn', GATED_ACTIVATIONS, 'gelu'),
    dropout: fields.number('dropout', 0, 'a number in [0, 1)', (value) => value >= 0 && value < 1),
    bias: fields.boolean('bias', false),
    innerDim: innerDim(fields, projFactor, embeddingDim),
  };
  fields.ignore('embedding_dim', ...DERIVED);
  fields.refuseUnknown();
  return config;
}
