import { createCpuDevice, OptionError } from '@xlstm/device';
import { expect, it } from 'vitest';
import { newXlstmLarge } from './initialise.ts';
import { readWeights } from './read-weights.ts';
import { tinyConfig } from './testing/random-model.ts';

const device = createCpuDevice();

async function weightsOf(overrides: Record<string, unknown> = {}, seed?: number): Promise<Map<string, Float32Array>> {
  const model = await newXlstmLarge(device, tinyConfig(overrides), seed === undefined ? {} : { seed });
  const weights = new Map<string, Float32Array>();
  for await (const { name, data } of readWeights(model)) weights.set(name, data);
  model.dispose();
  return weights;
}

const LAYER = 'backbone.blocks.1.mlstm_layer';

it('starts as the paper does: gates, norms, biases', async () => {
  const weights = await weightsOf({ num_heads: 4, use_bias: true });
  expect([...weights.get(`${LAYER}.igate_preact.bias`)!]).toEqual([-10, -10, -10, -10]);
  expect([...weights.get(`${LAYER}.fgate_preact.bias`)!]).toEqual([3, 4, 5, 6]);
  for (const [name, data] of weights) {
    const gate = /[if]gate_preact\.weight$/.test(name) && !name.includes('ogate');
    if (gate) expect(new Set(data), name).toEqual(new Set([0]));
    else if (name.endsWith('.weight') && name.includes('norm')) expect(new Set(data), name).toEqual(new Set([1]));
    else if (name.endsWith('.bias') && !/[if]gate_preact/.test(name)) expect(new Set(data), name).toEqual(new Set([0]));
    else if (name.endsWith('.weight')) expect(new Set(data).size, name).toBeGreaterThan(data.length / 2);
  }
});

it('has the small initialisation, and Wang’s where a projection leads back into the residual stream', async () => {
  const weights = await weightsOf();
  const small = Math.sqrt(2 / (5 * 64));
  const wang = 2 / (2 * Math.sqrt(64));
  const deviations = {
    'backbone.embeddings.weight': small,
    'lm_head.weight': small,
    [`${LAYER}.q.weight`]: small,
    [`${LAYER}.ogate_preact.weight`]: small,
    'backbone.blocks.0.ffn.proj_up_gate.weight': small,
    [`${LAYER}.out_proj.weight`]: wang,
    'backbone.blocks.0.ffn.proj_down.weight': wang,
  };
  for (const [name, expected] of Object.entries(deviations)) {
    const data = weights.get(name)!;
    const std = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);
    expect(std / expected, name).toBeGreaterThan(0.95);
    expect(std / expected, name).toBeLessThan(1.05);
  }
});

it('gives the same weights for the same seed', async () => {
  expect(await weightsOf({}, 0)).toEqual(await weightsOf());
  expect(await weightsOf({}, 1)).not.toEqual(await weightsOf());
  await expect(weightsOf({}, 0.5)).rejects.toThrow(OptionError);
});
