import { Arena } from '@xlstm/device';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { swiglu } from './index.ts';
import { spec } from './spec.ts';

await testKernel(spec);

await describeDevices('swiglu', (device) => {
  it('takes both halves of one projection', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const projected = scope.tensor([2, 4]);
    device.upload(projected.buffer, Float32Array.of(100, -100, 2, 3, 0, 50, 5, -1));
    const y = swiglu(scope, projected.columns(0, 2), projected.columns(2, 2));
    expect([...(await device.read(y.buffer))]).toEqual([200, expect.closeTo(0), 0, -50]);
    expect(() => swiglu(scope, projected.columns(0, 2), projected)).toThrow(/swiglu: up must be \[2,2\], got \[2,4\]/);
  });
});
