import { Arena } from '@xlstm/device';
import { Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import { describe, expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { crossEntropyKernel } from './index.ts';
import { crossEntropyReference } from './reference.ts';
import { spec } from './spec.ts';

await testKernel(spec);

await describeDevices('cross_entropy', (device) => {
  it('gives NaN for targets outside the vocabulary and for logits without a softmax, and only for them', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const V = 3;
    const ids = Int32Array.of(-1, 3, 2147483647, -2147483648, 1, 0, 0, 1);
    const logits = scope.tensor([8, V]);
    const targets = scope.tensor([8], 'i32');
    const losses = scope.tensor([8]);
    const count = scope.tensor([1]);
    const values = new Float32Array(8 * V);
    values[5 * V + 2] = Number.NaN;
    values[6 * V + 1] = Number.POSITIVE_INFINITY;
    values.fill(Number.NEGATIVE_INFINITY, 7 * V);
    device.upload(logits.buffer, values);
    device.upload(targets.buffer, ids);
    device.upload(count.buffer, Float32Array.of(1));
    device.launch(crossEntropyKernel, {
      buffers: {
        logits: logits.buffer,
        targets: targets.buffer,
        losses: losses.buffer,
        count: count.buffer,
        scale: undefined,
      },
      params: { rows: 8, V, first: 0, ignoreIndex: -100, softCap: 0 },
    });
    const perToken = [...(await device.read(losses.buffer))];
    expect(perToken.map(Number.isNaN)).toEqual([true, true, true, true, false, true, true, true]);
    expect(perToken[4]).toBeCloseTo(Math.log(3), 5);
    const gradients = await device.read(logits.buffer);
    for (let row = 0; row < 8; row++) {
      const all = [...gradients.subarray(row * V, (row + 1) * V)];
      expect(all.every(Number.isNaN)).toBe(row !== 4);
    }
  });
});

describe("the reference's gradients", () => {
  it('are the central differences of its losses', () => {
    const random = new Random(21);
    for (let trial = 0; trial < 20; trial++) {
      const [rows, V] = [1 + random.integer(4), 1 + random.integer(9)];
      const softCap = trial % 2 === 0 ? 0 : 1 + 5 * random.uniform();
      const values = Float64Array.from(random.normals(rows * V, 3));
      const targets = Int32Array.from({ length: rows }, () => (random.uniform() < 0.3 ? -1 : random.integer(V)));
      const params = { rows, V, first: 0, ignoreIndex: -1, softCap };
      const run = (logits: Float64Array, count?: Float32Array) => {
        const losses = new Float64Array(rows);
        const buffers = { logits, losses } as unknown as { logits: Float32Array; losses: Float32Array };
        crossEntropyReference({ ...buffers, targets, count, scale: Float32Array.of(1.5) }, params);
        return losses.reduce((sum, loss) => sum + loss, 0);
      };
      const gradient = values.slice();
      run(gradient, Float32Array.of(2));
      for (let at = 0; at < values.length; at++) {
        const step = 1e-4;
        const moved = (by: number) => run(values.map((value, index) => (index === at ? value + by : value)));
        const difference = ((moved(step) - moved(-step)) / (2 * step)) * (1.5 / 2);
        expect(Math.abs(gradient[at]! - difference)).toBeLessThan(1e-7);
      }
    }
  });
});
