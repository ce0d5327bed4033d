import { Arena } from '@xlstm/device';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { uploaded } from '../../testing/finite-differences.ts';
import { activationFunction } from './functions.ts';
import { gelu, silu } from './index.ts';
import { spec } from './spec.ts';

await testKernel(spec);

await describeDevices('gelu', (device) => {
  it('is right to float32 rounding, relative to itself, also in its tail', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const values = Float32Array.from({ length: 2501 }, (_, index) => (index - 1250) / 100 + 0.0037);
    const y = await device.read(gelu(scope, uploaded(scope, [values.length], values)).buffer);
    const exact = activationFunction(1);
    let worst = 0;
    for (const [index, x] of values.entries()) worst = Math.max(worst, Math.abs(y[index]! / exact.value(x) - 1));
    expect(worst).toBeLessThan(4e-7);
  });
});

await describeDevices('silu and gelu', (device) => {
  it('take columns and keep NaN', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const x = uploaded(scope, [2, 3], [9, 100, -100, 9, Number.NaN, 0]);
    for (const operation of [silu, gelu]) {
      const y = operation(scope, x.columns(1, 2));
      expect(y.shape).toEqual([2, 2]);
      const values = await device.read(y.buffer);
      expect([...values].map((value) => value + 0)).toEqual([100, expect.closeTo(0), Number.NaN, 0]);
    }
  });
});
