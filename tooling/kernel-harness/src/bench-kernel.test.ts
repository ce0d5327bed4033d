import { defineKernel } from '@xlstm/device';
import { expect, it } from 'vitest';
import type { BenchResult } from './bench.ts';
import { benchKernel } from './bench-kernel.ts';
import { FLOAT32 } from './compare.ts';
import { scaleKernel } from './device-contract/fixture-kernels.ts';
import { defineSpec, type KernelSpec } from './spec.ts';
import { describeDevices } from './test-kernel.ts';

type ScaleSpec = KernelSpec<typeof scaleKernel.bindings, typeof scaleKernel.params>;

const small = (name: string, n: number): ScaleSpec['cases'][number] => ({
  name,
  params: { n, a: 2 },
  buffers: (random) => ({ x: random.tensor(n), y: { dtype: 'fp32', length: n } }),
});

const spec: ScaleSpec = defineSpec({
  kernel: scaleKernel,
  backends: { cpu: true, webgpu: true, cuda: 'a fixture' },
  cases: [small('odd', 7)],
  tolerances: { y: FLOAT32 },
  bench: [small('hundred', 100)],
  cost: ({ n }) => ({ flops: n, bytes: 8 * n }),
});

await describeDevices('benchKernel', (device, kind) => {
  async function run(tried: ScaleSpec): Promise<{ results: BenchResult[]; skipped: string[] }> {
    const results: BenchResult[] = [];
    const skipped: string[] = [];
    const before = device.liveBuffers();
    try {
      await benchKernel(tried).run(
        device,
        (result) => results.push(result),
        (name, reason) => skipped.push(`${name}: ${reason}`),
      );
    } finally {
      expect(device.liveBuffers()).toEqual(before);
    }
    return { results, skipped };
  }

  it('times what is right, and leaves no buffer', async () => {
    const { results, skipped } = await run(spec);
    expect(skipped).toEqual([]);
    expect(results).toHaveLength(1);
    expect(results[0]).toMatchObject({ name: 'fixture_scale hundred', device: device.name });
    expect(results[0]!.microseconds).toBeGreaterThan(0);
    expect(results[0]!.gigabytesPerSecond! / results[0]!.gigaflopsPerSecond!).toBeCloseTo(8, 6);
  });

  it('says which cases are too much for a device in software', async () => {
    const { results, skipped } = await run({ ...spec, cost: () => ({ flops: 1e12, bytes: 1 }) });
    if (kind === 'cpu' || device.info.software) {
      expect(results).toEqual([]);
      expect(skipped[0]).toMatch(/^fixture_scale hundred \((reference|plain)\): 1\.00e\+3 GFLOP .* too much/);
    } else expect(results).toHaveLength(1);
  });

  it('says that a kernel is declared missing', async () => {
    const backends = { cpu: 'no need', webgpu: 'no need', cuda: 'no need' };
    expect(await run({ ...spec, backends })).toEqual({
      results: [],
      skipped: ['fixture_scale: declared missing: no need'],
    });
  });

  if (kind === 'webgpu') {
    it('does not time what is wrong', async () => {
      const plain = scaleKernel.webgpu![0]!;
      const code = plain.code.replace('params.a * x[id.x]', '(params.a + 0.01) * x[id.x]');
      const wrong = defineKernel({ ...scaleKernel, webgpu: [{ ...plain, code }] });
      await expect(run({ ...spec, kernel: wrong })).rejects.toThrow(
        'fixture_scale (plain, odd): y is wrong; not timing it, run its test',
      );
    });
  }
});
