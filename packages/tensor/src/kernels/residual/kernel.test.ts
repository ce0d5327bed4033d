import { Arena } from '@xlstm/device';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { addInPlace, residual } from './index.ts';
import { spec } from './spec.ts';

await testKernel(spec);

await describeDevices('residual', (device) => {
  it('adds into a new tensor, or in place', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const x = scope.tensor([2, 2]);
    const y = scope.tensor([2, 2]);
    device.upload(x.buffer, Float32Array.of(1, 2, 3, 4));
    device.upload(y.buffer, Float32Array.of(10, 20, 30, Number.NaN));
    const sum = residual(scope, x, y);
    expect(addInPlace(scope, x, sum)).toBe(x);
    expect([...(await device.read(sum.buffer))]).toEqual([11, 22, 33, Number.NaN]);
    expect([...(await device.read(x.buffer))]).toEqual([12, 24, 36, Number.NaN]);
    expect([...(await device.read(residual(scope, y, y).buffer)).slice(0, 3)]).toEqual([20, 40, 60]);
  });

  it('refuses other shapes and a sum of a buffer with itself in place', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const x = scope.tensor([2, 2]);
    expect(() => residual(scope, x, scope.tensor([4]))).toThrow(/residual: y must be \[2,2\], got \[4\]/);
    expect(() => addInPlace(scope, x, scope.tensor([4]))).toThrow(/addInPlace: y must be \[2,2\], got \[4\]/);
    expect(() => addInPlace(scope, x, x)).toThrow(/addInPlace: y is the buffer of target/);
  });
});
