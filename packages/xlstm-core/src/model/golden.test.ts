import { Arena } from '@xlstm/device';
import { Scope, Tape, Tensor } from '@xlstm/tensor';
import { compare, type Tolerance } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { goldenCase, goldenWeights } from '../testing/golden.ts';
import { floats } from '../testing/small-models.ts';
import { XLSTMLMModel } from './lm-model.ts';

const LOGITS: Tolerance = {
  relativeRms: 2e-5,
  atol: 1e-4,
  rtol: 5e-5,
  reason: 'rounding adds up in the residual stream',
};
/** In units of the largest expected element. */
const GRADIENT: Tolerance = { relativeRms: 1e-4, atol: 1e-4, rtol: 1e-4, reason: 'rounding of forward and backward' };
const CANCELS: Tolerance = { relativeRms: 1e-3, atol: 1e-3, rtol: 1e-3, reason: 'a small remainder of large terms' };

function expectClose(name: string, actual: Float32Array, expected: ArrayLike<number>, tolerance: Tolerance): void {
  const { pass, relativeRms, worst } = compare(actual, expected, tolerance);
  expect(pass, `${name}: relative RMS ${relativeRms.toExponential(2)}, worst ${JSON.stringify(worst)}`).toBe(true);
}

await describeDevices('XLSTMLMModel against reference vectors', (device) => {
  it('has its logits, loss, gradients and weight-decay groups', async () => {
    const golden = goldenCase('lm-tied');
    const { fields, tensors } = golden;
    const expected = (name: string) => tensors.get(name)!.data;
    const ids = (name: string) =>
      new Tensor(device.from('i32', expected(name) as Int32Array), tensors.get(name)!.shape);
    const arena = new Arena(device);
    const model = new XLSTMLMModel(device, fields.config);
    model.writeWeights(goldenWeights(golden));
    const scope = new Scope(arena);
    expectClose('logits', await floats(device, model.forward(scope, ids('tokens'))), expected('logits'), LOGITS);
    scope.dispose();

    const parameters = model.parameters();
    const tape = new Tape(arena, { parameters });
    const loss = model.loss(tape, ids('tokens'), ids('targets'), { ignoreIndex: fields.ignore_index });
    expect((await floats(device, loss))[0]! / expected('loss')[0]!).toBeCloseTo(1, 5);
    loss.backward();
    for (const { name, gradient } of parameters) {
      const reference = expected(`grad.${name}`) as Float32Array;
      const unit = Math.max(...reference.map(Math.abs));
      const scaled = (values: Float32Array) => values.map((value) => value / unit);
      const tolerance = name.endsWith('mlstm_cell.igate.bias') ? CANCELS : GRADIENT;
      expectClose(name, scaled(await floats(device, gradient)), scaled(reference), tolerance);
    }
    const gradients = [...tensors.keys()].filter((name) => name.startsWith('grad.'));
    expect(gradients.sort()).toEqual(parameters.map(({ name }) => `grad.${name}`).sort());

    const named = (decay: boolean) => parameters.flatMap((each) => (each.decay === decay ? [each.name] : [])).sort();
    expect(named(true)).toEqual([...fields.weight_decay_parameters].sort());
    expect(named(false)).toEqual([...fields.no_weight_decay_parameters].sort());
    tape.dispose();
    model.dispose();
    arena.dispose();
  });
});
