import { compare, type Tolerance } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { type GoldenCase, goldenCases, hasFullSet, hostCell } from '../testing/golden.ts';
import { BACKWARD_FORMS, GRADIENTS, type Gradients, runBackward } from '../testing/run-backward.ts';

/**
 * Single elements are held to a share of the largest: gradients of a step are as large as its normaliser is small, and
 * one that is small beside others may be what terms of their size left.
 */
function tolerance(expected: Float32Array): Tolerance {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return { relativeRms: 1e-5, atol: 1e-5 * largest, rtol: 1e-4 };
}

/** The expected gradient of each input, and of the initial state where the case has one. */
function expectedGradients({ tensors }: GoldenCase): Partial<Gradients> {
  const planes = ['dc_initial', 'dn_initial', 'dm_initial'].map((name) => tensors.get(name));
  const initial = planes.every((plane) => plane !== undefined)
    ? { initial: Float32Array.from(planes.flatMap((plane) => [...plane!])) }
    : {};
  const rest = (['q', 'k', 'v', 'i', 'f'] as const).map((name) => [name, tensors.get(`d${name}`)!]);
  return { ...(Object.fromEntries(rest) as Omit<Gradients, 'initial'>), ...initial };
}

if (!hasFullSet) it.skip('the full set of reference vectors is not there; the package has four of them', () => {});

await describeDevices("mLSTM's gradients against reference vectors", (device) => {
  for (const golden of goldenCases()) {
    const { tensors, shape, gate, normalize, eps } = golden;
    const dh = tensors.get('dh');
    if (!dh) continue;
    const work = shape.B * shape.NH * shape.S * shape.DHQK * shape.DHHV;
    const few = work > 4e6 ? ['chunkwise 64'] : ['chunkwise 32', 'chunkwise 64', 'parallel'];
    for (const name of device.info.software ? few : Object.keys(BACKWARD_FORMS)) {
      it(`${golden.name}: ${name}`, async () => {
        const form = BACKWARD_FORMS[name]!;
        const { gradients } = await runBackward(
          device,
          form,
          shape,
          hostCell(golden),
          { dh },
          { gate, normalize, eps },
        );
        const expected = expectedGradients(golden);
        const failures = GRADIENTS.flatMap((part) => {
          if (!expected[part]) return [];
          const result = compare(gradients[part], expected[part], tolerance(expected[part]));
          if (result.pass) return [];
          return `d${part}: relative RMS ${result.relativeRms.toExponential(2)}, worst ${JSON.stringify(result.worst)}, share ${result.share}`;
        });
        expect(failures).toEqual([]);
      });
    }
  }
});
