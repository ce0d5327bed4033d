import { Arena } from '@xlstm/device';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { headLayerNorm } from './index.ts';
import { spec } from './spec.ts';

await testKernel(spec);

await describeDevices('headLayerNorm', (device) => {
  it('gates by columns of a wider projection', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const x = scope.tensor([2, 1, 4]);
    const projected = scope.tensor([2, 1, 6]);
    const weight = scope.tensor([4]);
    device.upload(x.buffer, Float32Array.of(1, 3, -5, 5, 10, 20, 7, 9));
    device.upload(projected.buffer, Float32Array.of(9, 0, 0, 100, -100, 9, 9, -100, 100, 0, 0, 9));
    device.upload(weight.buffer, Float32Array.of(2, 2, 4, 4));
    const y = headLayerNorm(scope, x, weight, { heads: 2, eps: 0, gate: projected.columns(1, 4) });
    expect(y.shape).toEqual([2, 1, 4]);
    const values = await device.read(y.buffer);
    [-1, 1, -4, 0, 0, 2, -2, 2].forEach((expected, index) => {
      expect(values[index], `element ${index}`).toBeCloseTo(expected, 4);
    });
  });

  it('refuses what does not fit', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const x = scope.tensor([2, 6]);
    const weight = scope.tensor([6]);
    expect(() => headLayerNorm(scope, x, weight, { heads: 4 })).toThrow(/heads must divide the last dimension, got 4/);
    expect(() => headLayerNorm(scope, x, weight, { heads: 0 })).toThrow(/heads must be a positive integer, got 0/);
    expect(() => headLayerNorm(scope, x, scope.tensor([3]), { heads: 2 })).toThrow(/weight must be \[6\], got \[3\]/);
    const gate = scope.tensor([2, 12]);
    expect(() => headLayerNorm(scope, x, weight, { heads: 2, gate })).toThrow(/gate must be \[2,6\], got \[2,12\]/);
    expect(() => headLayerNorm(scope, gate.columns(0, 6), weight, { heads: 2 })).toThrow(/x must be contiguous/);
  });
});
