import { CheckpointError, createCpuDevice } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { randomModel, SMALL } from '../testing/small-models.ts';
import { XLSTMLMModel } from './lm-model.ts';
import type { ParameterTensor } from './model-parameters.ts';

const device = createCpuDevice();
const CELL = 'xlstm_block_stack.blocks.1.xlstm.slstm_cell.';
const NH = 2;
const DH = 4;

/** The same values as the reference's CUDA cell has them. */
function asCuda(weights: readonly ParameterTensor[]): ParameterTensor[] {
  return weights.map((weight) => {
    const { name, data } = weight;
    if (name === `${CELL}_recurrent_kernel_`) {
      // [NH, 4·DH_out, DH_in] becomes [NH, DH_in, 4·DH_out].
      const turned = new Float32Array(data.length);
      for (let head = 0; head < NH; head++)
        for (let out = 0; out < 4 * DH; out++)
          for (let input = 0; input < DH; input++)
            turned[(head * DH + input) * 4 * DH + out] = data[(head * 4 * DH + out) * DH + input]!;
      return { ...weight, shape: [NH, DH, 4 * DH], data: turned };
    }
    if (name === `${CELL}_bias_`) {
      // Gate, head, unit becomes head, gate, unit.
      const turned = new Float32Array(data.length);
      for (let gate = 0; gate < 4; gate++)
        for (let head = 0; head < NH; head++)
          for (let unit = 0; unit < DH; unit++)
            turned[(head * 4 + gate) * DH + unit] = data[(gate * NH + head) * DH + unit]!;
      return { ...weight, data: turned };
    }
    return weight;
  });
}

describe('weights of an XLSTMLMModel', () => {
  it('are read and written under the published names, row by row', async () => {
    const [from, to] = [await randomModel(device), new XLSTMLMModel(device, SMALL)];
    const weights = await from.readWeights();
    expect(await to.readWeights()).not.toEqual(weights);
    to.writeWeights([...weights].reverse());
    expect(await to.readWeights()).toEqual(weights);
    expect(weights.reduce((sum, { data }) => sum + data.length, 0)).toBe(from.parameterCount);
    expect(weights.map(({ name }) => name)).toContain('xlstm_block_stack.blocks.0.xlstm.mlstm_cell.igate.weight');
    from.dispose();
    to.dispose();
  });

  it("are taken in the CUDA cell's layout too", async () => {
    const [from, to] = [await randomModel(device), new XLSTMLMModel(device, SMALL)];
    const weights = await from.readWeights();
    to.writeWeights(asCuda(weights));
    expect(await to.readWeights()).toEqual(weights);
    from.dispose();
    to.dispose();
  });

  it('pass over the head that the reference saves along with tied weights', async () => {
    const model = new XLSTMLMModel(device, { ...SMALL, tie_weights: true });
    const weights = await model.readWeights();
    expect(weights.map(({ name }) => name)).not.toContain('lm_head.weight');
    const embedding = weights.find(({ name }) => name === 'token_embedding.weight')!;
    model.writeWeights([...weights, { ...embedding, name: 'lm_head.weight' }]);
    expect(await model.readWeights()).toEqual(weights);
    model.dispose();
  });

  const SKIP = 'xlstm_block_stack.blocks.0.xlstm.learnable_skip';
  it.each<[string, (weights: ParameterTensor[]) => ParameterTensor[], RegExp]>([
    [
      'missing ones, all named',
      (weights) => weights.filter(({ name }) => !name.endsWith('norm.weight')),
      /missing xlstm_block_stack\.blocks\.0\.xlstm_norm\.weight, .*post_blocks_norm\.weight; pass every parameter/,
    ],
    [
      'an unknown one',
      (weights) => [...weights, { ...weights[0]!, name: `${SKIP}s` }],
      /the model has no .*learnable_skips; the nearest is .*learnable_skip$/,
    ],
    [
      'a misshapen one',
      (weights) =>
        weights.map((each) => (each.name === SKIP ? { ...each, shape: [15], data: each.data.subarray(1) } : each)),
      /learnable_skip must be \[16\], got \[15\] with 15 elements; the configuration is another one/,
    ],
    [
      'one that is shorter than its shape',
      (weights) => weights.map((each) => (each.name === SKIP ? { ...each, data: each.data.subarray(1) } : each)),
      /learnable_skip must be \[16\], got \[16\] with 15 elements/,
    ],
    [
      "a CUDA cell's weights without its bias",
      (weights) => asCuda(weights).filter(({ name }) => name !== `${CELL}_bias_`),
      /_recurrent_kernel_ comes without .*_bias_; pass both/,
    ],
    [
      "a CUDA cell's bias of another length",
      (weights) =>
        asCuda(weights).map((each) =>
          each.name === `${CELL}_bias_` ? { ...each, data: each.data.subarray(1) } : each,
        ),
      /_bias_ must have 32 elements to go with .*_recurrent_kernel_ \[2,4,16\], got 31/,
    ],
  ])('are replaced all or none: %s', async (_, change, message) => {
    const [from, to] = [await randomModel(device), new XLSTMLMModel(device, SMALL)];
    const before = await to.readWeights();
    const write = async () => to.writeWeights(change(await from.readWeights()));
    await expect(write()).rejects.toThrow(CheckpointError);
    await expect(write()).rejects.toThrow(message);
    expect(await to.readWeights()).toEqual(before);
    from.dispose();
    to.dispose();
  });
});
