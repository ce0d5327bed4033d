import { Arena } from '@xlstm/device';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { uploaded } from '../../testing/finite-differences.ts';
import { gatedSkip } from './index.ts';
import { spec } from './spec.ts';

await testKernel(spec);

await describeDevices('gatedSkip', (device) => {
  it('takes its gate from columns', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const h = uploaded(scope, [2, 2], [1, 2, 3, 4]);
    const [skip, a] = [uploaded(scope, [2], [10, 100]), uploaded(scope, [2, 2], [1, 1, 2, 2])];
    const z = uploaded(scope, [2, 3], [9, 100, 0, 9, -100, 100]).columns(1, 2);
    const y = await device.read(gatedSkip(scope, { h, skip, a, z }).buffer);
    expect([...y]).toEqual([1100, 0, expect.closeTo(0), 20400]);
  });

  it('refuses other shapes and views', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [h, skip, wide] = [scope.tensor([2, 2]), scope.tensor([2]), scope.tensor([2, 4])];
    expect(() => gatedSkip(scope, { h, skip, a: h, z: wide })).toThrow(/z must be \[2,2\], got \[2,4\]/);
    expect(() => gatedSkip(scope, { h, skip: scope.tensor([4]), a: h, z: h })).toThrow(/skip must be \[2\]/);
    expect(() => gatedSkip(scope, { h, skip, a: wide.columns(0, 2), z: h })).toThrow(/a must be contiguous/);
  });
});
