import { Arena } from '@xlstm/device';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { uploaded } from '../../testing/finite-differences.ts';
import { addTo, copyColumns, copyTo } from './index.ts';
import { spec } from './spec.ts';

await testKernel(spec);

await describeDevices('copyColumns, copyTo and addTo', (device) => {
  it('move columns', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [wide, target] = [uploaded(scope, [2, 3], [1, 2, 3, 4, 5, Number.NaN]), uploaded(scope, [2, 3], 10)];
    const middle = copyColumns(scope, wide.columns(1, 1));
    expect(middle.contiguous).toBe(true);
    expect([...(await device.read(middle.buffer))]).toEqual([2, 5]);
    copyTo(scope, target.columns(0, 1), middle);
    addTo(scope, target.columns(1, 2), wide.columns(1, 2));
    expect([...(await device.read(target.buffer))]).toEqual([2, 12, 13, 5, 15, Number.NaN]);
  });

  it('refuse other shapes and one buffer for both', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const x = scope.tensor([2, 4]);
    expect(() => copyTo(scope, x, scope.tensor([4, 2]))).toThrow(/copyTo: source must be \[2,4\], got \[4,2\]/);
    expect(() => addTo(scope, x.columns(0, 2), x.columns(2, 2))).toThrow(/addTo: source and target share the buffer/);
  });
});
