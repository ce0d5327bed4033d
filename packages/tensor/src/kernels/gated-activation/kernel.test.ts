import { Arena } from '@xlstm/device';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { gatedActivation, swiglu } from './index.ts';
import { spec } from './spec.ts';

await testKernel(spec);

await describeDevices('gatedActivation', (device) => {
  it('takes both halves of one projection', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const projected = scope.tensor([2, 4]);
    device.upload(projected.buffer, Float32Array.of(100, -100, 2, 3, 0, 50, 5, -1));
    const y = swiglu(scope, projected.columns(0, 2), projected.columns(2, 2));
    expect([...(await device.read(y.buffer))]).toEqual([200, expect.closeTo(0), 0, -50]);
    const z = gatedActivation(scope, projected.columns(0, 2), projected.columns(2, 2), 'gelu');
    expect([...(await device.read(z.buffer))].map((value) => value + 0)).toEqual([200, 0, 0, -50]);
    expect(() => gatedActivation(scope, projected, projected, 'relu' as 'gelu')).toThrow(
      /gatedActivation: activation must be silu or gelu, got relu/,
    );
    expect(() => swiglu(scope, projected.columns(0, 2), projected)).toThrow(/swiglu: up must be \[2,2\], got \[2,4\]/);
  });
});
