import type { Binding, Device, DeviceKind, Kernel, ParamType } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { isRequired, testDevices } from './devices.ts';
import { Random } from './random.ts';
import { runCase } from './run-case.ts';
import type { KernelSpec } from './spec.ts';

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

/** Registers the tests of a kernel: every device, every WGSL form that it can run, every case. */
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
      const forms = kernel.webgpu?.find(({ name }) => name === variant);
      for (const testCase of spec.cases) {
        const dtypes = Object.fromEntries(
          Object.entries(testCase.buffers(new Random(1))).map(([name, buffer]) => [name, buffer?.dtype]),
        );
        if (kind === 'webgpu' && forms?.fits && !forms.fits({ params: testCase.params, dtypes })) continue;
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
