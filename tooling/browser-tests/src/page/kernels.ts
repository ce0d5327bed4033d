import type { Device } from '@xlstm/device';
import { fitsForm, type KernelCase, type KernelSpec, runCase } from '@xlstm-tooling/kernel-harness';

/** What came of a kernel on one device. */
export interface KernelOutcome {
  /** The WGSL forms that this device can run. */
  variants: readonly string[];
  /** How many launches were compared. */
  launches: number;
  failures: readonly string[];
  /** Why the kernel has no WGSL, or no form for this adapter, where its spec says so. */
  missing?: string;
}

async function failuresOf(spec: KernelSpec, testCase: KernelCase, device: Device, variant?: string): Promise<string[]> {
  const where = `${variant ?? 'the form it chooses'}, ${testCase.name}`;
  try {
    const results = await runCase(spec, testCase, device, variant);
    return results
      .filter(({ pass }) => !pass)
      .map(
        ({ output, relativeRms, share, worst }) =>
          `${where}: ${output}: relative RMS ${relativeRms.toExponential(2)}, ${(100 * share).toFixed(0)} % of the budget; worst at ${worst.index}: ${worst.actual} for ${worst.expected}`,
      );
  } catch (error) {
    // One wrong shader gives several errors, some of them later; they are not the next case's.
    await device.sync().catch(() => {});
    return [`${where}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** Runs one of a spec's cases in every form that the device can run: Node tries them all with the same compilers. */
export async function runSpec(spec: KernelSpec, device: Device): Promise<KernelOutcome> {
  const declared = spec.backends.webgpu;
  if (declared !== true) return { variants: [], launches: 0, failures: [], missing: declared };
  const variants = device.variants(spec.kernel);
  if (variants.length === 0 && spec.someAdapters) {
    return { variants, launches: 0, failures: [], missing: spec.someAdapters };
  }
  const failures: string[] = [];
  let launches = 0;
  for (const variant of variants) {
    const cases = spec.cases.filter((each) => fitsForm(spec, variant, each));
    const testCase = cases[cases.length >> 1];
    if (!testCase) continue;
    launches++;
    failures.push(...(await failuresOf(spec, testCase, device, variant)));
  }
  return { variants, launches, failures };
}

/** Runs the first case of each spec in the form that the device chooses. */
export async function runFirstCases(specs: readonly KernelSpec[], device: Device): Promise<KernelOutcome> {
  const failures: string[] = [];
  let launches = 0;
  for (const spec of specs) {
    const [testCase] = spec.cases;
    if (!testCase || spec.backends.webgpu !== true) continue;
    if (spec.someAdapters && device.variants(spec.kernel).length === 0) continue;
    launches++;
    const found = await failuresOf(spec, testCase, device);
    failures.push(...found.map((failure) => `${spec.kernel.id}: ${failure}`));
  }
  return { variants: [], launches, failures };
}
