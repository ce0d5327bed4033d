import { Arena } from '@xlstm/device';
import { Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { dot, doubles, gradientError, uploaded } from '../../testing/finite-differences.ts';
import { softCapReference } from '../soft-cap/reference.ts';
import { softCapBackward } from './index.ts';
import { softCapBackwardReference } from './reference.ts';
import { spec } from './spec.ts';

await testKernel(spec);

describe('the gradient of softCap', () => {
  it('is what central differences say', () => {
    const sizes = { rows: fc.integer({ min: 1, max: 5 }), D: fc.integer({ min: 1, max: 9 }) };
    fc.assert(
      fc.property(
        sizes.rows,
        sizes.D,
        fc.double({ min: 0.5, max: 30, noNaN: true }),
        fc.nat(),
        (rows, D, cap, seed) => {
          const random = new Random(seed);
          const [x, dy] = [doubles(rows * D, () => 3 * random.normal()), doubles(rows * D, () => random.normal())];
          const [y, dx] = [doubles(rows * D), doubles(rows * D)];
          const loss = () => {
            softCapReference({ x, y }, { rows, D, cap, xOffset: 0, xStride: D });
            return dot(y, dy);
          };
          loss();
          softCapBackwardReference({ y, dy, dx }, { rows, D, cap, dxOffset: 0, dxStride: D, accumulate: 0 });
          expect(gradientError(loss, x, dx)).toBeLessThan(1e-7);
        },
      ),
      { numRuns: 25 },
    );
  });
});

await describeDevices('softCapBackward', (device) => {
  it('computes in place or adds into columns', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [y, dy] = [uploaded(scope, [2, 2], [0, 1, -2, 1]), uploaded(scope, [2, 2], [8, 4, 3, -4])];
    const wide = uploaded(scope, [2, 3], 1);
    softCapBackward(scope, { y, dy, cap: 2 }, {});
    softCapBackward(scope, { y, dy, cap: 2 }, { dx: { tensor: wide.columns(1, 2), accumulate: true } });
    expect([...(await device.read(wide.buffer))]).toEqual([1, 9, 4, 1, 1, -2]);
    softCapBackward(scope, { y, dy, cap: 2 }, { dx: { tensor: dy, accumulate: false } });
    expect([...(await device.read(dy.buffer))]).toEqual([8, 3, 0, -3]);
  });

  it('refuses caps that are none, other shapes and a sum in place', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [y, dy] = [scope.tensor([2, 2]), scope.tensor([2, 2])];
    const dx = { tensor: dy, accumulate: true };
    expect(() => softCapBackward(scope, { y, dy, cap: 0 }, {})).toThrow(/cap must be a positive finite number, got 0/);
    expect(() => softCapBackward(scope, { y, dy, cap: 1 }, { dx })).toThrow(/must replace it whole/);
    expect(() => softCapBackward(scope, { y, dy: scope.tensor([4]), cap: 1 }, {})).toThrow(/dy must be \[2,2\]/);
  });
});
