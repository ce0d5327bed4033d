import type { Binding, Device, DeviceBuffer, ParamType } from '@xlstm/device';
import { Random } from './random.ts';
import { runCase } from './run-case.ts';
import type { KernelCase, KernelSpec } from './spec.ts';

/** One measured line. */
export interface BenchResult {
  name: string;
  device: string;
  variant: string;
  /** Median over repetitions, of one launch. */
  microseconds: number;
  gigabytesPerSecond: number;
  gigaflopsPerSecond: number;
}

/** What `kernel.bench.ts` exports: gates on correctness, then times. */
export interface KernelBench {
  id: string;
  run: (device: Device, report: (result: BenchResult) => void) => Promise<void>;
}

const BATCHES = 9;

async function timeCase(spec: KernelSpec, testCase: KernelCase, device: Device, variant: string): Promise<BenchResult> {
  const made = testCase.buffers(new Random(7));
  const buffers: Record<string, DeviceBuffer> = {};
  try {
    for (const [name, buffer] of Object.entries(made)) {
      if (!buffer) continue;
      buffers[name] =
        'data' in buffer ? device.from(buffer.dtype, buffer.data) : device.alloc(buffer.dtype, buffer.length);
    }
    const launch = { buffers, params: testCase.params, ...(device.kind === 'webgpu' ? { variant } : {}) };
    // Enough launches in a batch that the wait at its end does not count.
    let launches = 1;
    let elapsed = 0;
    for (;;) {
      const start = performance.now();
      for (let index = 0; index < launches; index++) device.launch(spec.kernel, launch);
      await device.sync();
      elapsed = performance.now() - start;
      if (elapsed > 40 || launches >= 4096) break;
      launches *= 4;
    }
    const times: number[] = [];
    for (let batch = 0; batch < BATCHES; batch++) {
      const start = performance.now();
      for (let index = 0; index < launches; index++) device.launch(spec.kernel, launch);
      await device.sync();
      times.push((performance.now() - start) / launches);
    }
    const milliseconds = times.sort((a, b) => a - b)[BATCHES >> 1]!;
    const dtypes = Object.fromEntries(Object.entries(buffers).map(([name, buffer]) => [name, buffer.dtype]));
    const cost = spec.cost(testCase.params, dtypes);
    return {
      name: `${spec.kernel.id} ${testCase.name}`,
      device: device.name,
      variant,
      microseconds: milliseconds * 1e3,
      gigabytesPerSecond: cost.bytes / milliseconds / 1e6,
      gigaflopsPerSecond: cost.flops / milliseconds / 1e6,
    };
  } finally {
    for (const buffer of Object.values(buffers)) buffer.dispose();
  }
}

/** Makes the bench of a kernel: each form is first run on the spec's cases, and timed only if all of them pass. */
export function benchKernel<B extends Record<string, Binding>, P extends Record<string, ParamType>>(
  typed: KernelSpec<B, P>,
): KernelBench {
  const spec = typed as unknown as KernelSpec;
  return {
    id: spec.kernel.id,
    async run(device, report) {
      if (spec.backends[device.kind] !== true) return;
      for (const variant of device.variants(spec.kernel)) {
        const form = spec.kernel.webgpu?.find(({ name }) => name === variant);
        const fits = (testCase: KernelCase) => {
          const buffers = testCase.buffers(new Random(1));
          const dtypes = Object.fromEntries(Object.entries(buffers).map(([name, buffer]) => [name, buffer?.dtype]));
          return device.kind !== 'webgpu' || (form?.fits?.({ params: testCase.params, dtypes }) ?? true);
        };
        for (const testCase of spec.cases.filter(fits)) {
          const name = device.kind === 'webgpu' ? variant : undefined;
          for (const result of await runCase(spec, testCase, device, name)) {
            if (!result.pass) {
              throw new Error(
                `${spec.kernel.id} (${variant}, ${testCase.name}): ${result.output} is wrong; not timing it`,
              );
            }
          }
        }
        for (const testCase of spec.bench.filter(fits)) report(await timeCase(spec, testCase, device, variant));
      }
    },
  };
}
