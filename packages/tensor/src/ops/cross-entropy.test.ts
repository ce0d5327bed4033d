import { Arena } from '@xlstm/device';
import { Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { embedding } from '../kernels/embedding/index.ts';
import { fill } from '../kernels/fill/index.ts';
import { Parameters } from '../parameters.ts';
import { Scope } from '../scope.ts';
import { Tape } from '../tape/tape.ts';
import { Tensor } from '../tensor.ts';
import { crossEntropy } from './cross-entropy.ts';

const V = 11;
const D = 6;
const IDS = [3, 0, 10, 3, 7];
const TARGETS = [0, -1, 4, 10, 4];

function softmaxLoss(table: Float32Array): number {
  let sum = 0;
  let count = 0;
  for (const [at, id] of IDS.entries()) {
    const target = TARGETS[at]!;
    if (target < 0) continue;
    const logits = Array.from({ length: V }, (_, v) => {
      let z = 0;
      for (let d = 0; d < D; d++) z += table[id * D + d]! * table[v * D + d]!;
      return 3 * Math.tanh(z / 3);
    });
    sum += Math.log(logits.reduce((total, z) => total + Math.exp(z), 0)) - logits[target]!;
    count++;
  }
  return sum / count;
}

await describeDevices('crossEntropy', (device) => {
  const setUp = () => {
    const arena = new Arena(device);
    const parameters = new Parameters(device, [{ name: 'table', shape: [V, D], decay: true }]);
    const table = new Random(5).tensor(V * D).data as Float32Array;
    parameters.write('table', table);
    const ids = new Tensor(device.from('i32', Int32Array.from(IDS)), [IDS.length]);
    const targets = new Tensor(device.from('i32', Int32Array.from(TARGETS)), [IDS.length]);
    return { arena, parameters, table, ids, targets };
  };
  const options = { ignoreIndex: -1, softCap: 3 };

  it('evaluates the loss in a plain scope', async () => {
    const { arena, parameters, table, ids, targets } = setUp();
    const scope = new Scope(arena);
    const head = parameters.get('table');
    const loss = crossEntropy(scope, { hidden: embedding(scope, ids, head), head, targets }, options);
    expect((await device.read(loss.buffer))[0]).toBeCloseTo(softmaxLoss(table), 5);
  });

  it('differentiates a table that is embedding and head at once, times the gradient of the loss', async () => {
    const { arena, parameters, table, ids, targets } = setUp();
    const tape = new Tape(arena, { parameters: parameters.list() });
    const head = parameters.get('table');
    const loss = crossEntropy(tape, { hidden: embedding(tape, ids, head), head, targets }, options);
    const half = new Tensor(device.alloc('fp32', 1), [1]);
    fill({ device }, half, 0.5);
    loss.backward(half);
    const gradient = await device.read(parameters.list()[0]!.gradient.buffer);
    tape.dispose();
    const wide = Float64Array.from(table) as unknown as Float32Array;
    for (let at = 0; at < wide.length; at++) {
      const value = wide[at]!;
      wide[at] = value + 1e-4;
      const above = softmaxLoss(wide);
      wide[at] = value - 1e-4;
      const below = softmaxLoss(wide);
      wide[at] = value;
      expect(gradient[at], `element ${at}`).toBeCloseTo((0.5 * (above - below)) / 2e-4, 5);
    }
  });
});
