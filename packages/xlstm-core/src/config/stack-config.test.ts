import { ConfigError } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { parseBlockStackConfig, parseLmModelConfig } from './stack-config.ts';

const BOTH = { embedding_dim: 64, num_blocks: 3, slstm_at: [1], mlstm_block: {}, slstm_block: { feedforward: {} } };

describe('parseBlockStackConfig', () => {
  it("fills in the reference's defaults", () => {
    expect(parseBlockStackConfig({ mlstm_block: {}, slstm_block: { slstm: {}, feedforward: {} } })).toEqual({
      embeddingDim: 128,
      numBlocks: 1,
      contextLength: -1,
      addPostBlocksNorm: true,
      bias: false,
      dropout: 0,
      slstmAt: [],
      mlstm: { conv1dKernelSize: 4, qkvProjBlocksize: 4, numHeads: 4, projFactor: 2, innerDim: 256 },
      slstm: {
        numHeads: 4,
        conv1dKernelSize: 4,
        groupNormWeight: true,
        biasInit: 'powerlaw_blockdependent',
        recurrentWeightInit: 'zeros',
        gradientRecurrentCut: false,
        gradientRecurrentClipval: undefined,
        forwardClipval: undefined,
      },
      feedForward: { projFactor: 1.3, actFn: 'gelu', dropout: 0, bias: false, innerDim: 192 },
    });
  });

  it('reads the same from an object, from JSON and from YAML', () => {
    const yaml = [
      'embedding_dim: 64',
      'num_blocks: 3',
      'slstm_at: [1]',
      'mlstm_block: {}',
      'slstm_block:',
      '  feedforward: {}',
    ];
    const config = parseBlockStackConfig(BOTH);
    expect(parseBlockStackConfig(JSON.stringify(BOTH))).toEqual(config);
    expect(parseBlockStackConfig(yaml.join('\n'))).toEqual(config);
    expect([config.embeddingDim, config.slstmAt]).toEqual([64, [1]]);
  });

  it('takes what the reference writes along when it saves a configuration, and null for nothing', () => {
    const saved = {
      ...BOTH,
      _block_map: '0,1,0',
      mlstm_block: {
        mlstm: { proj_factor: 2, embedding_dim: 64, dropout: 0, _num_blocks: 3, _inner_embedding_dim: 128 },
        slstm: null,
        feedforward: null,
        _num_blocks: 3,
        _block_idx: null,
      },
      slstm_block: { slstm: { backend: 'cuda', hidden_size: 64, dtype: 'bfloat16' }, feedforward: null, mlstm: null },
    };
    expect(parseBlockStackConfig(saved)).toMatchObject({ feedForward: undefined, mlstm: { innerDim: 128 } });
  });

  it('makes every block an sLSTM block where there is no mlstm_block or slstm_at is "all"', () => {
    expect(parseBlockStackConfig({ num_blocks: 2, slstm_block: {} }).slstmAt).toEqual([0, 1]);
    expect(parseBlockStackConfig({ ...BOTH, slstm_at: 'all' }).slstmAt).toEqual([0, 1, 2]);
    expect(parseBlockStackConfig({ ...BOTH, slstm_at: [2, 0, 2] }).slstmAt).toEqual([0, 2]);
  });

  it('rounds inner widths up to a multiple, or down where asked', () => {
    const inner = (mlstm: Record<string, unknown>) =>
      parseBlockStackConfig({ embedding_dim: 72, mlstm_block: { mlstm } }).mlstm!.innerDim;
    expect(inner({})).toBe(192);
    expect(inner({ round_proj_up_dim_up: false })).toBe(128);
    expect(inner({ round_proj_up_to_multiple_of: 8 })).toBe(144);
  });

  it.each<[string, unknown, RegExp]>([
    ['no object', [1], /the configuration must be an object of fields, got a list/],
    ['text of a number', '12', /must be an object of fields, got 12/],
    ['text that is neither JSON nor YAML', '{"embedding_dim": [', /neither JSON nor YAML/],
    ['no block at all', { embedding_dim: 64 }, /give mlstm_block or slstm_block/],
    [
      'an unknown field',
      { ...BOTH, embeding_dim: 3 },
      /embeding_dim is not a known field; did you mean embedding_dim\?/,
    ],
    [
      'an unknown field of a block',
      { ...BOTH, mlstm_block: { mlsmt: {} } },
      /mlstm_block\.mlsmt is not a known field; did you mean mlstm\?/,
    ],
    [
      'an unknown field of a layer',
      { ...BOTH, mlstm_block: { mlstm: { num_head: 2 } } },
      /mlstm_block\.mlstm\.num_head is not a known field; did you mean num_heads\?/,
    ],
    [
      'an unknown field of the feed-forward',
      { ...BOTH, slstm_block: { feedforward: { activation: 'gelu' } } },
      /slstm_block\.feedforward\.activation is not a known field/,
    ],
    ['a block that is no object', { ...BOTH, mlstm_block: 3 }, /mlstm_block must be an object of fields, got 3/],
    ['a layer that is no object', { ...BOTH, slstm_block: { slstm: 'x' } }, /slstm_block\.slstm must be an object/],
    ['an index past the end', { ...BOTH, slstm_at: [1, 3] }, /slstm_at names block 3; with num_blocks 3 .* 0…2/],
    [
      'an index past the end where all blocks are sLSTM blocks anyway',
      { ...BOTH, mlstm_block: null, slstm_at: [3] },
      /slstm_at names block 3/,
    ],
    ['a negative index', { ...BOTH, slstm_at: [-1] }, /slstm_at names block -1/],
    ['an index that is no integer', { ...BOTH, slstm_at: ['1'] }, /slstm_at names block "1"/],
    [
      'a slstm_at that is no list',
      { ...BOTH, slstm_at: 1 },
      /slstm_at must be a list of block indices or "all", got 1/,
    ],
    ['sLSTM blocks without slstm_block', { ...BOTH, slstm_block: null }, /slstm_at names blocks 1, .* add one/],
    [
      'a fraction for an integer',
      { ...BOTH, num_blocks: 1.5 },
      /num_blocks must be an integer of at least 1, got 1\.5/,
    ],
    ['nothing of something', { ...BOTH, embedding_dim: 0 }, /embedding_dim must be an integer of at least 1, got 0/],
    [
      'text for an integer',
      { ...BOTH, embedding_dim: '64' },
      /embedding_dim must be an integer of at least 1, got "64"/,
    ],
    ['a dropout of 1', { ...BOTH, dropout: 1 }, /dropout must be a number in \[0, 1\), got 1/],
    ['a dropout that is not a number', { ...BOTH, dropout: Number.NaN }, /dropout must be a number in \[0, 1\)/],
    ['text for a flag', { ...BOTH, bias: 'no' }, /bias must be true or false, got "no"/],
    [
      'another activation',
      { ...BOTH, slstm_block: { feedforward: { act_fn: 'relu' } } },
      /slstm_block\.feedforward\.act_fn must be one of gelu, swish, got "relu"/,
    ],
    [
      'another feed-forward',
      { ...BOTH, slstm_block: { feedforward: { ff_type: 'ffn' } } },
      /ff_type must be one of ffn_gated, got "ffn"/,
    ],
    [
      'another cell function',
      { ...BOTH, slstm_block: { slstm: { function: 'lstm' } } },
      /slstm_block\.slstm\.function must be one of slstm, got "lstm"/,
    ],
    [
      'a clip of 0',
      { ...BOTH, slstm_block: { slstm: { forward_clipval: 0 } } },
      /forward_clipval must be a positive number, got 0/,
    ],
    [
      'a factor of 0',
      { ...BOTH, mlstm_block: { mlstm: { proj_factor: 0 } } },
      /mlstm_block\.mlstm\.proj_factor must be a positive number, got 0/,
    ],
    [
      'a width rounded down to nothing',
      { ...BOTH, mlstm_block: { mlstm: { proj_factor: 0.5, round_proj_up_dim_up: false } } },
      /proj_factor 0\.5 of embedding_dim 64, rounded down to a multiple of 64, is 0; raise either/,
    ],
    [
      'mLSTM heads that do not divide',
      { ...BOTH, mlstm_block: { mlstm: { num_heads: 3 } } },
      /mlstm_block\.mlstm\.num_heads must divide its inner width, got 3 and 128/,
    ],
    [
      'blocks of a projection that do not divide',
      { ...BOTH, mlstm_block: { mlstm: { qkv_proj_blocksize: 5 } } },
      /qkv_proj_blocksize must divide its inner width, got 5 and 128/,
    ],
    [
      'sLSTM heads that do not divide',
      { ...BOTH, slstm_block: { slstm: { num_heads: 5 } } },
      /slstm_block\.slstm\.num_heads .*must divide embedding_dim, got 5 and 64/,
    ],
    ['a context length below −1', { ...BOTH, context_length: -2 }, /context_length must be an integer of at least -1/],
  ])('refuses %s', (_, input, message) => {
    const parse = () => parseBlockStackConfig(input as Record<string, unknown>);
    expect(parse).toThrow(ConfigError);
    expect(parse).toThrow(message);
  });
});

describe('parseLmModelConfig', () => {
  it("has the language model's fields besides the stack's", () => {
    expect(parseLmModelConfig({ ...BOTH, vocab_size: 10 })).toMatchObject({
      numBlocks: 3,
      vocabSize: 10,
      tieWeights: false,
      weightDecayOnEmbedding: false,
      addEmbeddingDropout: false,
    });
    expect(parseLmModelConfig({ ...BOTH, vocab_size: 10, tie_weights: true }).tieWeights).toBe(true);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['no vocabulary', BOTH, /vocab_size is missing; give an integer/],
    ['a vocabulary of text', { ...BOTH, vocab_size: 'all' }, /vocab_size must be an integer of at least 1, got "all"/],
    ['text for tied weights', { ...BOTH, vocab_size: 9, tie_weights: 1 }, /tie_weights must be true or false, got 1/],
    ['an unknown field', { ...BOTH, vocab_size: 9, vocabulary: 9 }, /vocabulary is not a known field/],
  ])('refuses %s', (_, input, message) => {
    expect(() => parseLmModelConfig(input)).toThrow(ConfigError);
    expect(() => parseLmModelConfig(input)).toThrow(message);
  });

  it('does not take its fields for a stack alone', () => {
    expect(() => parseBlockStackConfig({ ...BOTH, vocab_size: 10 })).toThrow(/vocab_size is not a known field/);
  });
});
