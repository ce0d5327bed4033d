import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { clipScaleKernel } from './index.ts';
import { spec } from './spec.ts';

await testKernel(spec);

await describeDevices('clip_scale', (device, kind) => {
  // The last are two finite sums that overflow together, in float32.
  const bads = [Number.NaN, Number.POSITIVE_INFINITY, ...(kind === 'cpu' ? [] : [3e38])];
  it.each(bads)('of a sum of %d is NaN, and leaves the slots to tell', async (bad) => {
    using partials = device.from('fp32', Float32Array.of(1, bad, 3e38));
    using starts = device.from('u32', Uint32Array.of(0, 1, 2, 3));
    using hyper = device.from('fp32', Float32Array.of(1, 1, 1, 1));
    using slots = device.alloc('fp32', 3);
    using result = device.alloc('fp32', 2);
    device.launch(clipScaleKernel, {
      buffers: { partials, starts, hyper, slots, norm: result },
      params: { P: 3, maxNorm: 1 },
    });
    expect([...(await device.read(result))]).toEqual([Number.isNaN(bad) ? bad : Number.POSITIVE_INFINITY, Number.NaN]);
    expect([...(await device.read(slots))]).toEqual([1, Math.fround(bad), Math.fround(3e38)]);
  });
});
