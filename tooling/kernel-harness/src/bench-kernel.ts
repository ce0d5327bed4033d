import {
  type Binding,
  type Device,
  type DeviceBuffer,
  type Dtype,
  OutOfMemoryError,
  type ParamType,
} from '@xlstm/device';
import type { Bench, BenchResult } from './bench.ts';
import { measure } from './measure.ts';
import { RepeatedRandom } from './repeated-random.ts';
import { runCase } from './run-case.ts';
import type { KernelCase, KernelCost, KernelSpec } from './spec.ts';

/** What `kernel.bench.ts` exports: gates on correctness, then times. */
export type KernelBench = Bench;

/** Buffers rotate through at least this much, so that caches do not serve what a model would read from memory. */
const COLD_BYTES = 192 * 2 ** 20;
const MOST_SETS = 64;

/** What one launch may cost at most on a device that computes in software: about a second. */
const SOFTWARE_FLOPS = 5e8;
const SOFTWARE_BYTES = 1.5e8;

type Buffers = Record<string, DeviceBuffer>;

function isSoftware(device: Device): boolean {
  return device.kind === 'cpu' || device.info.software;
}

function dtypesOf(testCase: KernelCase): Record<string, Dtype | undefined> {
  const buffers = testCase.buffers(new RepeatedRandom(1));
  return Object.fromEntries(Object.entries(buffers).map(([name, buffer]) => [name, buffer?.dtype]));
}

/** Why a case is not timed on this device; undefined when it is. */
function tooMuch({ flops, bytes }: KernelCost, device: Device): string | undefined {
  if (!isSoftware(device) || (flops <= SOFTWARE_FLOPS && bytes <= SOFTWARE_BYTES)) return undefined;
  return `${(flops / 1e9).toPrecision(3)} GFLOP and ${(bytes / 1e6).toPrecision(3)} MB a launch are too much for a device in software`;
}

function makeBuffers(testCase: KernelCase, device: Device, sets: Buffers[]): void {
  const first: Buffers = {};
  sets.push(first);
  for (const [name, buffer] of Object.entries(testCase.buffers(new RepeatedRandom(7)))) {
    if (!buffer) continue;
    first[name] = 'data' in buffer ? device.from(buffer.dtype, buffer.data) : device.alloc(buffer.dtype, buffer.length);
  }
  if (isSoftware(device)) return;
  const bytes = Object.values(first).reduce((sum, buffer) => sum + buffer.byteLength, 0);
  const count = Math.min(MOST_SETS, Math.ceil(COLD_BYTES / Math.max(1, bytes)));
  while (sets.length < count) {
    const next: Buffers = {};
    sets.push(next);
    for (const [name, buffer] of Object.entries(first)) {
      next[name] = device.alloc(buffer.dtype, buffer.length);
      device.copy(buffer, next[name]);
    }
  }
}

async function timeCase(
  spec: KernelSpec,
  testCase: KernelCase,
  cost: KernelCost,
  device: Device,
  variant: string,
): Promise<BenchResult> {
  const sets: Buffers[] = [];
  try {
    makeBuffers(testCase, device, sets);
    const form = device.kind === 'webgpu' ? { variant } : {};
    const milliseconds = await measure(device, (index) => {
      device.launch(spec.kernel, { buffers: sets[index % sets.length]!, params: testCase.params, ...form });
    });
    return {
      name: `${spec.kernel.id} ${testCase.name}`,
      device: device.name,
      variant,
      microseconds: milliseconds * 1e3,
      gigabytesPerSecond: cost.bytes / milliseconds / 1e6,
      gigaflopsPerSecond: cost.flops / milliseconds / 1e6,
    };
  } finally {
    for (const buffers of sets) for (const buffer of Object.values(buffers)) buffer.dispose();
  }
}

function skipIfTooLarge(name: string, skip: (name: string, reason: string) => void): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof OutOfMemoryError)) throw error;
    skip(name, error.message);
  };
}

async function gate(spec: KernelSpec, cases: readonly KernelCase[], device: Device, variant: string): Promise<void> {
  for (const testCase of cases) {
    for (const result of await runCase(spec, testCase, device, device.kind === 'webgpu' ? variant : undefined)) {
      if (!result.pass) {
        throw new Error(
          `${spec.kernel.id} (${variant}, ${testCase.name}): ${result.output} is wrong; not timing it, run its test`,
        );
      }
    }
  }
}

/** Makes the bench of a kernel: each form is first run on the spec's cases, and timed only if all of them pass. */
export function benchKernel<B extends Record<string, Binding>, P extends Record<string, ParamType>>(
  typed: KernelSpec<B, P>,
): KernelBench {
  const spec = typed as unknown as KernelSpec;
  return {
    id: spec.kernel.id,
    async run(device, report, skip) {
      const declared = spec.backends[device.kind];
      if (declared !== true) {
        skip(spec.kernel.id, `declared missing: ${declared}`);
        return;
      }
      const described = (testCase: KernelCase) => ({ testCase, dtypes: dtypesOf(testCase) });
      const cases = spec.cases.map(described);
      const timed = spec.bench.map(described);
      for (const variant of device.variants(spec.kernel)) {
        const form = spec.kernel.webgpu?.find(({ name }) => name === variant);
        const fits = ({ testCase: { params }, dtypes }: ReturnType<typeof described>) =>
          device.kind !== 'webgpu' || (form?.fits?.({ params, dtypes }) ?? true);
        const checked = cases.filter(fits).map(({ testCase }) => testCase);
        await gate(spec, checked, device, variant);
        for (const { testCase, dtypes } of timed.filter(fits)) {
          const cost = spec.cost(testCase.params, dtypes);
          const reason = tooMuch(cost, device);
          const name = `${spec.kernel.id} ${testCase.name} (${variant})`;
          if (reason) skip(name, reason);
          else await timeCase(spec, testCase, cost, device, variant).then(report, skipIfTooLarge(name, skip));
        }
      }
    },
  };
}
