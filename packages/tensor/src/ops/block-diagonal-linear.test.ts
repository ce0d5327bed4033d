import { Arena } from '@xlstm/device';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { Scope } from '../scope.ts';
import { uploaded } from '../testing/finite-differences.ts';
import { blockDiagonalLinear, blockDiagonalLinears } from './block-diagonal-linear.ts';

await describeDevices('blockDiagonalLinear', (device) => {
  it('takes columns, and puts several results side by side', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const wide = uploaded(scope, [2, 3], [9, 1, 2, 9, 3, 4]);
    const x = wide.columns(1, 2);
    const weight = uploaded(scope, [2, 1, 1], [10, 100]);
    const single = uploaded(scope, [1, 1, 2], [1, 1]);
    const bias = uploaded(scope, [1], [0.5]);
    expect([...(await device.read(blockDiagonalLinear(scope, x, weight).buffer))]).toEqual([10, 200, 30, 400]);
    const both = blockDiagonalLinears(scope, [
      { x, weight },
      { x, weight: single, bias },
    ]);
    expect(both.shape).toEqual([2, 3]);
    expect([...(await device.read(both.buffer))]).toEqual([10, 200, 3.5, 30, 400, 7.5]);
  });

  it('refuses what does not fit', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [x, weight] = [scope.tensor([2, 6]), scope.tensor([3, 4, 2])];
    expect(() => blockDiagonalLinear(scope, x, scope.tensor([3, 4, 3]))).toThrow(
      /weight must be \[NB, DO, DI\] with NB\*DI = 6 for x \[2,6\], got \[3,4,3\]/,
    );
    expect(() => blockDiagonalLinear(scope, x, weight, { bias: x })).toThrow(/bias must be \[12\], got \[2,6\]/);
    expect(() => blockDiagonalLinears(scope, [])).toThrow(/needs at least one projection/);
    const other = scope.tensor([3, 6]);
    const projections = [
      { x, weight },
      { x: other, weight },
    ];
    expect(() => blockDiagonalLinears(scope, projections)).toThrow(/all x must be \[2, ...\], got \[3,6\]/);
  });
});
