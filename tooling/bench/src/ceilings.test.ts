import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { measureCeilings } from './ceilings.ts';
import { fmaFlops, fmaKernel } from './fused-multiply-add.ts';

await describeDevices('ceilings', (device) => {
  it('the multiply-add kernel does all of its steps', async () => {
    const [n, iterations, a, b] = [300, 5, 0.75, 0.5];
    const y = device.alloc('fp32', n);
    device.launch(fmaKernel, { buffers: { y }, params: { n, iterations, a, b } });
    const result = await device.read(y);
    for (let index = 0; index < n; index++) {
      // x_k = a^k·x_0 + b·(1 - a^k) / (1 - a), summed over 32 chains whose x_0 sum to 32·(index mod 8) + 4·28.
      const start = 32 * (index % 8) + 4 * 28;
      expect(result[index]).toBeCloseTo(a ** iterations * start + (32 * b * (1 - a ** iterations)) / (1 - a), 3);
    }
    expect(fmaFlops(n, iterations)).toBe(2 * 32 * 300 * 5);
    y.dispose();
  });

  it('are measured, and leave no buffer', async () => {
    const before = device.liveBuffers();
    const ceilings = await measureCeilings(device);
    expect(ceilings.copyGigabytesPerSecond).toBeGreaterThan(0.1);
    expect(ceilings.fmaGigaflopsPerSecond).toBeGreaterThan(0.01);
    expect(device.liveBuffers()).toEqual(before);
  });
});
