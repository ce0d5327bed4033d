import { Arena } from '@xlstm/device';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { softCap, softCapInPlace } from './index.ts';
import { spec } from './spec.ts';

await testKernel(spec);

await describeDevices('softCap', (device) => {
  it('caps columns of a wider tensor, or in place', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const x = scope.tensor([2, 3]);
    device.upload(x.buffer, Float32Array.of(1e9, -1e9, 0, 7, 1e30, -1e30));
    const y = softCap(scope, x.columns(1, 2), 15);
    expect(y.shape).toEqual([2, 2]);
    expect([...(await device.read(y.buffer))]).toEqual([-15, 0, 15, -15]);
    expect(softCapInPlace(scope, x, 30)).toBe(x);
    const values = [...(await device.read(x.buffer))];
    expect(values).toEqual([30, -30, 0, expect.closeTo(30 * Math.tanh(7 / 30), 5), 30, -30]);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses a cap of %d', (cap) => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const x = scope.tensor([3]);
    expect(() => softCap(scope, x, cap)).toThrow(/softCap: cap must be a positive finite number/);
    expect(() => softCapInPlace(scope, x, cap)).toThrow(/softCapInPlace: cap must be/);
  });

  it('keeps NaN, and refuses to cap a view in place', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const x = scope.tensor([2]);
    device.upload(x.buffer, Float32Array.of(Number.NaN, 1));
    expect((await device.read(softCap(scope, x, 15).buffer))[0]).toBeNaN();
    expect(() => softCapInPlace(scope, x.columns(1, 1), 15)).toThrow(/softCapInPlace: x must be contiguous/);
  });
});
