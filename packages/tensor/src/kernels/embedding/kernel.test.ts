import { Arena } from '@xlstm/device';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { Tensor } from '../../tensor.ts';
import { embedding } from './index.ts';
import { spec } from './spec.ts';

await testKernel(spec);

await describeDevices('embedding with ids outside the table', (device) => {
  it('gives rows of NaN for them, and only for them', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    using ids = device.from('i32', Int32Array.of(-1, 2, 3, 2147483647, -2147483648, 0));
    using weight = device.from('fp32', Float32Array.of(1, 2, 3, 4, 5, 6));
    const y = embedding(scope, new Tensor(ids, [2, 3]), new Tensor(weight, [3, 2]));
    expect(y.shape).toEqual([2, 3, 2]);
    const no = Number.NaN;
    expect([...(await device.read(y.buffer))]).toEqual([no, no, 5, 6, no, no, no, no, no, no, 1, 2]);
  });

  it('refuses tables that are no matrix and ids that are no integers', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const ids = scope.tensor([2], 'i32');
    expect(() => embedding(scope, ids, scope.tensor([6]))).toThrow(/embedding: weight must be \[V, D\], got \[6\]/);
    expect(() => embedding(scope, scope.tensor([2]), scope.tensor([3, 2]))).toThrow(/ids must be i32, got fp32/);
  });
});
