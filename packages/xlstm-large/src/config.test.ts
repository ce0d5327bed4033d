import { ConfigError } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { candidateWidths, defaultDims, parseConfig } from './config.ts';

const SEVEN_B = { model_type: 'xlstm', hidden_size: 4096, num_heads: 8, num_hidden_layers: 32, vocab_size: 50304 };

describe('parseConfig', () => {
  it('reads the Hugging Face format with the published defaults', () => {
    const config = parseConfig({ ...SEVEN_B, bos_token_id: 0, pad_token_id: 1, eos_token_id: 2 }, 'huggingface');
    expect(config).toMatchObject({
      embeddingDim: 4096,
      numHeads: 8,
      numBlocks: 32,
      gateSoftCap: 15,
      outputLogitSoftCap: 30,
      inputGate: 'exp',
      bosTokenId: 0,
      eosTokenIds: [2],
      padTokenId: 1,
    });
    expect(defaultDims(config)).toEqual({ qkDim: 2048, vDim: 4096, ffnDim: 10944, DHQK: 256, DHHV: 512 });
  });

  it('reads the reference format, which has no model_type', () => {
    const raw = { embedding_dim: 64, num_heads: 2, num_blocks: 2, vocab_size: 128, qk_dim_factor: 1 };
    const config = parseConfig(raw, 'native');
    expect(defaultDims(config)).toMatchObject({ qkDim: 64, vDim: 64, ffnDim: 192 });
    expect(config.eosTokenIds).toEqual([]);
  });

  it('takes the sigmoid input gate from the kernel names', () => {
    const raw = { ...SEVEN_B, chunkwise_kernel: 'chunkwise--triton_xl_chunk_siging' };
    expect(parseConfig(raw, 'huggingface').inputGate).toBe('sigmoid');
  });

  it('takes a list of end tokens', () => {
    expect(parseConfig({ ...SEVEN_B, eos_token_id: [2, 5] }, 'huggingface').eosTokenIds).toEqual([2, 5]);
  });

  it('knows both roundings of odd widths', () => {
    const raw = { ...SEVEN_B, hidden_size: 72, num_heads: 2 };
    expect(candidateWidths(parseConfig(raw, 'huggingface'))).toMatchObject({ qkDim: [36, 64], vDim: [72, 128] });
  });

  it.each([
    ['an unknown model_type', { ...SEVEN_B, model_type: 'llama' }, /model_type "llama" is not supported/],
    ['no model_type', { ...SEVEN_B, model_type: undefined }, /model_type is missing/],
    ['heads that do not divide', { ...SEVEN_B, num_heads: 7 }, /divisible by num_heads, got 4096 and 7/],
    ['NaN', { ...SEVEN_B, norm_eps: Number.NaN }, /norm_eps must be a positive finite number, got NaN/],
    ['a missing size', { ...SEVEN_B, vocab_size: undefined }, /vocab_size is missing/],
    ['a fractional size', { ...SEVEN_B, hidden_size: 64.5 }, /must be an integer/],
    ['a text for a number', { ...SEVEN_B, num_heads: '8' }, /num_heads must be a positive finite number/],
    ['a text for a boolean', { ...SEVEN_B, use_bias: 'yes' }, /use_bias must be true or false/],
    ['sizes that contradict', { ...SEVEN_B, embedding_dim: 2048 }, /hidden_size \(4096\) and embedding_dim \(2048\)/],
    ['an end token outside the vocabulary', { ...SEVEN_B, eos_token_id: 50304 }, /eos_token_id must be a token id/],
    ['an unknown weight mode', { ...SEVEN_B, weight_mode: 'split' }, /weight_mode must be "single" or "fused"/],
    [
      'more blocks than memory',
      { ...SEVEN_B, num_hidden_layers: 1e9 },
      /num_blocks must be at most 4096, got 1000000000/,
    ],
    ['null', null, /expected an object, got null/],
    ['an array', [], /expected an object, got an array/],
  ])('refuses %s', (_, raw, message) => {
    expect(() => parseConfig(raw, 'huggingface')).toThrow(ConfigError);
    expect(() => parseConfig(raw, 'huggingface')).toThrow(message);
  });
});
