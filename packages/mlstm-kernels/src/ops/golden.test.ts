import { compare } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { FORMS } from '../testing/forms.ts';
import { goldenCases, hasFullSet, hostCell } from '../testing/golden.ts';
import { runCell } from '../testing/run-cell.ts';

const RELATIVE = 1e-5;

/** One head's plane · exp(m), both taken relative to the expected m, against the largest expected element. */
function expectSameState(
  name: string,
  actual: { plane: Float32Array; m: Float32Array },
  expected: { plane: Float32Array; m: Float32Array },
): void {
  const width = expected.plane.length / expected.m.length;
  for (let head = 0; head < expected.m.length; head++) {
    const scale = Math.exp(actual.m[head]! - expected.m[head]!);
    const reference = expected.plane.subarray(head * width, (head + 1) * width);
    const largest = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const worst = reference.reduce(
      (most, value, place) => Math.max(most, Math.abs(actual.plane[head * width + place]! * scale - value)),
      0,
    );
    expect(worst / largest, `${name} of head ${head}, relative to its largest element`).toBeLessThan(RELATIVE);
  }
}

if (!hasFullSet) it.skip('the full set of reference vectors is not there; the package has four of them', () => {});

await describeDevices('mLSTM against reference vectors', (device) => {
  for (const golden of goldenCases()) {
    const { tensors, shape, gate, normalize, eps } = golden;
    // Barriers are slow on a software adapter, and full-size heads take it many seconds a form.
    const work = shape.B * shape.NH * shape.S * shape.DHQK * shape.DHHV;
    if (device.info.software && work > 2e7) {
      it.skip(`${golden.name}: too large for a software adapter`, () => {});
      continue;
    }
    const few = work > 1e7 ? ['chunkwise 64'] : ['recurrent', 'chunkwise 32', 'chunkwise 64', 'parallel'];
    const forms = device.info.software ? few : Object.keys(FORMS);
    for (const form of forms) {
      it(`${golden.name}: ${form}`, async () => {
        const result = await runCell(device, FORMS[form]!, shape, hostCell(golden), { gate, normalize, eps });
        const h = compare(result.h, tensors.get('h')!, { relativeRms: RELATIVE, atol: 1e-5, rtol: 1e-4 });
        expect(
          h.pass,
          `h: relative RMS ${h.relativeRms.toExponential(2)}, worst ${JSON.stringify(h.worst)}, share ${h.share}`,
        ).toBe(true);
        const m = tensors.get('m_last');
        if (!m) return;
        expectSameState('C', { plane: result.state.c, m: result.state.m }, { plane: tensors.get('c_last')!, m });
        expectSameState('n', { plane: result.state.n, m: result.state.m }, { plane: tensors.get('n_last')!, m });
      });
    }
  }
});
