import { CheckpointError } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { defaultDims, parseConfig } from './config.ts';
import { countParameters, parameterTable, planParameters } from './parameters.ts';
import { tinyConfig } from './testing/random-model.ts';

const config = tinyConfig();
const shapes = (overrides: Record<string, readonly number[] | undefined> = {}) => {
  const table = parameterTable(config, defaultDims(config));
  const known = new Map<string, readonly number[] | undefined>(table.tensors.map(({ name, shape }) => [name, shape]));
  for (const [name, shape] of Object.entries(overrides)) known.set(name, shape);
  return (name: string) => known.get(name);
};
const LAYER = 'backbone.blocks.0.mlstm_layer';

describe('planParameters', () => {
  it('counts the 7B model', () => {
    const raw = { model_type: 'xlstm', hidden_size: 4096, num_heads: 8, num_hidden_layers: 32, vocab_size: 50304 };
    const seven = parseConfig(raw, 'huggingface');
    expect(countParameters(parameterTable(seven, defaultDims(seven)))).toBe(6_865_424_896);
  });

  it('stacks projections of one input row-wise', () => {
    const { table, dims } = planParameters(config, shapes());
    const rows = table.tensors.filter(({ parameter }) => parameter === 'blocks.0.qkvo').map(({ row }) => row);
    expect(rows).toEqual([0, dims.qkDim, 2 * dims.qkDim, 2 * dims.qkDim + dims.vDim]);
  });

  it('reads fused checkpoints', () => {
    const dims = defaultDims(config);
    const table = parameterTable(config, dims, { projections: true, gateUp: true });
    const known = new Map(table.tensors.map(({ name, shape }) => [name, shape]));
    expect(known.has(`${LAYER}.qkv_opreact.weight`)).toBe(true);
    expect(planParameters(config, (name) => known.get(name)).dims).toEqual(dims);
  });

  it('takes widths that transformers rounded up', () => {
    const odd = tinyConfig({ hidden_size: 72, num_heads: 2 });
    const dims = { qkDim: 64, vDim: 128, ffnDim: 192, DHQK: 32, DHHV: 64 };
    const known = new Map(parameterTable(odd, dims).tensors.map(({ name, shape }) => [name, shape]));
    expect(planParameters(odd, (name) => known.get(name)).dims).toEqual(dims);
  });

  it.each([
    [
      'a missing tensor',
      { 'backbone.blocks.1.ffn.proj_down.weight': undefined },
      /proj_down.weight \[64,192\] is missing/,
    ],
    ['a missing first projection', { [`${LAYER}.q.weight`]: undefined }, /mlstm_layer.q.weight is missing/],
    ['a tensor of the wrong shape', { 'lm_head.weight': [96, 63] }, /lm_head.weight must be \[96,64\], got \[96,63\]/],
    ['a vector where a matrix belongs', { 'lm_head.weight': [96] }, /must be \[96,64\], got \[96\]/],
    [
      'widths that the configuration cannot mean',
      { [`${LAYER}.q.weight`]: [48, 64] },
      /gives qk_dim 48, the configuration means 32 or 64/,
    ],
  ])('refuses %s', (_, overrides, message) => {
    expect(() => planParameters(config, shapes(overrides))).toThrow(CheckpointError);
    expect(() => planParameters(config, shapes(overrides))).toThrow(message);
  });

  it('refuses a stored head where the configuration ties it', () => {
    const tied = tinyConfig({ tie_word_embeddings: true });
    expect(() => planParameters(tied, shapes())).toThrow(/lm_head.weight is stored, though the configuration ties/);
    expect(() => planParameters(tied, shapes({ 'lm_head.weight': undefined }))).not.toThrow();
  });
});
