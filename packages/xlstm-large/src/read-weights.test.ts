import { createCpuDevice, DtypeError } from '@xlstm/device';
import { expect, it } from 'vitest';
import { lastLogits, XLSTMLarge } from './model.ts';
import { prefill } from './prefill.ts';
import { readWeights, type WeightTensor } from './read-weights.ts';
import { randomModel, tinyConfig } from './testing/random-model.ts';
import type { WeightSource } from './weight-source.ts';

const device = createCpuDevice();
type Mode = 'single' | 'fused';

async function collect(model: XLSTMLarge, weightMode: Mode): Promise<WeightTensor[]> {
  const weights: WeightTensor[] = [];
  for await (const weight of readWeights(model, { weightMode })) weights.push(weight);
  return weights;
}

function sourceOf(weights: readonly WeightTensor[]): WeightSource {
  const named = new Map(weights.map((weight) => [weight.name, weight]));
  return {
    shapeOf: (name) => named.get(name)?.shape,
    *stream(name) {
      yield { elementOffset: 0, data: named.get(name)!.data };
    },
  };
}

async function logits(model: XLSTMLarge): Promise<Float32Array> {
  const state = model.createState();
  await prefill(model, [[3, 1, 4, 1, 5, 9, 2, 6]], state);
  const read = (await device.read(lastLogits(state).buffer)) as Float32Array;
  state.dispose();
  return read;
}

it.each<[Mode, Mode]>([
  ['single', 'fused'],
  ['fused', 'single'],
])('what is written %s loads again, and can be written %s: the same model', async (first, second) => {
  const config = tinyConfig({ use_bias: true });
  const original = await randomModel(device, { config });
  const expected = await logits(original);
  const written = await collect(original, first);
  const reloaded = await XLSTMLarge.load(device, config, sourceOf(written), { dtype: 'fp32' });
  expect(await logits(reloaded)).toEqual(expected);
  const again = await XLSTMLarge.load(device, config, sourceOf(await collect(reloaded, second)), { dtype: 'fp32' });
  expect(await logits(again)).toEqual(expected);
  expect(await collect(again, first)).toEqual(written);
  for (const model of [original, reloaded, again]) model.dispose();
});

it('has one tensor for each projection, or those of one input stacked', async () => {
  const model = await randomModel(device);
  const layer = 'backbone.blocks.0.mlstm_layer';
  const names = async (mode: Mode) => (await collect(model, mode)).map(({ name }) => name);
  expect(await names('single')).toEqual(expect.arrayContaining([`${layer}.q.weight`, `${layer}.igate_preact.bias`]));
  expect(await names('fused')).toEqual(
    expect.arrayContaining([
      `${layer}.qkv_opreact.weight`,
      `${layer}.ifgate_preact.bias`,
      'backbone.blocks.0.ffn.proj_up_gate_z.weight',
    ]),
  );
  expect(await names('fused')).not.toContain(`${layer}.q.weight`);
  model.dispose();
});

it('refuses weights that were rounded', async () => {
  const model = await randomModel(device, { dtype: 'bf16' });
  await expect(collect(model, 'single')).rejects.toThrow(DtypeError);
  await expect(collect(model, 'single')).rejects.toThrow(/the weights are bf16; load the model with dtype fp32/);
  model.dispose();
});
