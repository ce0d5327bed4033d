import { Arena } from '@xlstm/device';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { argmax } from './index.ts';
import { spec } from './spec.ts';

await testKernel(spec);

await describeDevices('argmax', (device) => {
  it('drops the last dimension', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const logits = scope.tensor([3, 1, 2]);
    device.upload(logits.buffer, Float32Array.of(1, 2, 4, 3, Number.NaN, -9));
    const index = argmax(scope, logits);
    expect([index.shape, index.dtype]).toEqual([[3, 1], 'i32']);
    expect([...(await device.read(index.buffer))]).toEqual([1, 0, 1]);
    expect(argmax(scope, scope.tensor([5])).shape).toEqual([1]);
    expect(() => argmax(scope, scope.tensor([3, 0]))).toThrow(/argmax: the last dimension must not be empty/);
    expect(() => argmax(scope, logits.columns(1, 1))).toThrow(/argmax: logits must be contiguous/);
  });
});
