import { Arena } from '@xlstm/device';
import { Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { dot, doubles, gradientError, uploaded } from '../../testing/finite-differences.ts';
import { activationReference } from '../activation/reference.ts';
import { geluBackward, siluBackward } from './index.ts';
import { activationBackwardReference } from './reference.ts';
import { spec } from './spec.ts';

await testKernel(spec);

describe('the gradient of an activation function', () => {
  it('is what central differences say', () => {
    const sizes = { rows: fc.integer({ min: 1, max: 5 }), D: fc.integer({ min: 1, max: 9 }) };
    fc.assert(
      fc.property(sizes.rows, sizes.D, fc.integer({ min: 0, max: 1 }), fc.nat(), (rows, D, activation, seed) => {
        const random = new Random(seed);
        const [x, dy] = [doubles(rows * D, () => 3 * random.normal()), doubles(rows * D, () => random.normal())];
        const [y, dx] = [doubles(rows * D), doubles(rows * D)];
        const shape = { rows, D, xOffset: 0, xStride: D, activation };
        activationBackwardReference({ x, dy, dx }, { ...shape, dxOffset: 0, dxStride: D, accumulate: 0 });
        const loss = () => {
          activationReference({ x, y }, shape);
          return dot(y, dy);
        };
        expect(gradientError(loss, x, dx)).toBeLessThan(1e-7);
      }),
      { numRuns: 25 },
    );
  });
});

await describeDevices('siluBackward and geluBackward', (device) => {
  it('add into columns of a wider gradient', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const wide = uploaded(scope, [2, 3], 1);
    const inputs = { x: uploaded(scope, [2, 2], [0, 100, -100, 0]), dy: uploaded(scope, [2, 2], [2, 3, 4, 6]) };
    siluBackward(scope, inputs, {});
    siluBackward(scope, inputs, { dx: { tensor: wide.columns(1, 2), accumulate: true } });
    expect([...(await device.read(wide.buffer))]).toEqual([1, 2, 4, 1, 1, 4]);
    geluBackward(scope, inputs, { dx: { tensor: wide.columns(0, 2), accumulate: false } });
    expect([...(await device.read(wide.buffer))].map((value) => value + 0)).toEqual([1, 3, 4, 0, 3, 4]);
  });

  it('refuse other shapes', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [x, other] = [scope.tensor([2, 3]), scope.tensor([3, 2])];
    const dx = { tensor: other, accumulate: false };
    expect(() => siluBackward(scope, { x, dy: other }, {})).toThrow(/siluBackward: dy must be \[2,3\], got \[3,2\]/);
    expect(() => geluBackward(scope, { x, dy: x }, { dx })).toThrow(/geluBackward: dx must be \[2,3\], got \[3,2\]/);
  });
});
