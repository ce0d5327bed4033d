import type { Binding, Device, DeviceKind, Kernel, ParamType } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { isRequired, testDevices } from './devices.ts';
import { fitsForm } from './fitting-cases.ts';
import { runCase } from './run-case.ts';
import type { KernelCase, KernelSpec } from './spec.ts';

/**
 * Runs `body` once per device that is there, or only for the given `kinds`. An absent one is a visible skip, or a
 * failure where `XLSTM_REQUIRE_DEVICES` names it.
 */
export async function describeDevices(
  name: string,
  body: (device: Device, kind: DeviceKind) => void,
  kinds?: readonly DeviceKind[],
): Promise<void> {
  for (const entry of await testDevices()) {
    if (kinds && !kinds.includes(entry.kind)) continue;
    describe(`${name} on ${entry.kind}`, () => {
      if ('device' in entry) body(entry.device, entry.kind);
      else if (isRequired(entry.kind)) {
        it('is required here', () => {
          throw new Error(`device ${entry.kind} is required by XLSTM_REQUIRE_DEVICES, but: ${entry.absent}`);
        });
      } else it.skip(`is not there: ${entry.absent}`, () => {});
    });
  }
}

/** Cases that a form is tried with on a software adapter beyond those that the device would take it for. */
const SAMPLED = 5;

/** So many of a list, from all over it. */
function sample<T>(list: readonly T[], count: number): readonly T[] {
  if (list.length <= count) return list;
  return Array.from({ length: count }, (_, at) => list[Math.floor((at * list.length) / count)]!);
}

/**
 * The cases that a form can run, of all that the device can run. A software adapter compiles each for seconds: there it is those
 * that the device would take the form for, and a sample of the others.
 */
function casesOf(
  spec: KernelSpec,
  variant: string,
  variants: readonly string[],
  device: Device,
): readonly KernelCase[] {
  if (device.kind !== 'webgpu') return spec.cases;
  const possible = spec.cases.filter((each) => fitsForm(spec, variant, each));
  if (!device.info.software) return possible;
  const chosen = possible.filter((each) => variants.find((name) => fitsForm(spec, name, each)) === variant);
  return [
    ...chosen,
    ...sample(
      possible.filter((each) => !chosen.includes(each)),
      SAMPLED,
    ),
  ];
}

/** Registers the tests of a kernel: every device, every WGSL form that it can run, every case (on software adapters a sample). */
export async function testKernel<B extends Record<string, Binding>, P extends Record<string, ParamType>>(
  typed: KernelSpec<B, P>,
): Promise<void> {
  const spec = typed as unknown as KernelSpec;
  const kernel: Kernel = spec.kernel;
  await describeDevices(kernel.id, (device, kind) => {
    const declared = spec.backends[kind];
    if (declared !== true) {
      it.skip(`is declared missing: ${declared}`, () => {});
      return;
    }
    const variants = device.variants(kernel);
    if (variants.length === 0 && spec.someAdapters !== undefined) {
      it.skip(`has no form for ${device.name}: ${spec.someAdapters}`, () => {});
      return;
    }
    it('has a form for this device', () => expect(variants).not.toHaveLength(0));
    const unused = new Set(kind === 'webgpu' ? variants : []);
    for (const variant of variants) {
      for (const testCase of casesOf(spec, variant, variants, device)) {
        unused.delete(variant);
        it(`${variant}: ${testCase.name}`, async () => {
          const results = await runCase(spec, testCase, device, kind === 'webgpu' ? variant : undefined);
          for (const result of results) {
            expect(
              result.pass,
              `${result.output}: relative RMS ${result.relativeRms.toExponential(2)}, ${(100 * result.share).toFixed(0)} % of the budget; worst at ${result.worst.index}: ${result.worst.actual} for ${result.worst.expected}`,
            ).toBe(true);
          }
        });
      }
    }
    it('has a case for every form that this device can run', () => expect([...unused]).toEqual([]));
  });
}
