import { compare } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { slstmStateLength } from '../slstm-shape.ts';
import { runSlstm } from '../testing/run-slstm.ts';
import { hasFullSlstmSet, slstmGoldenCases } from '../testing/slstm-golden.ts';

const TOLERANCE = { relativeRms: 2e-6, atol: 1e-5, rtol: 2e-5 };

if (!hasFullSlstmSet) it.skip('the full set of reference vectors is not there; the package has one of them', () => {});

await describeDevices('sLSTM against reference vectors', (device) => {
  for (const { name, shape, tensors } of slstmGoldenCases()) {
    it(name, async () => {
      const arrays = {
        x: tensors.get('x')!,
        recurrent: tensors.get('recurrent_kernel')!,
        bias: tensors.get('bias')!,
        state: tensors.get('state_initial') ?? new Float32Array(slstmStateLength(shape)),
      };
      const result = await runSlstm(device, shape, arrays, { dy: tensors.get('dy')! });
      const expected = {
        y: 'y',
        state: 'state_last',
        dx: 'dx',
        drecurrent: 'drecurrent_kernel',
        dbias: 'dbias',
        dstate: 'dstate_initial',
      } as const;
      let compared = 0;
      for (const [output, tensor] of Object.entries(expected)) {
        const reference = tensors.get(tensor);
        if (!reference) continue;
        compared++;
        const { pass, relativeRms, worst, share } = compare(
          result[output as keyof typeof expected],
          reference,
          TOLERANCE,
        );
        expect(
          pass,
          `${tensor}: relative RMS ${relativeRms.toExponential(2)}, worst ${JSON.stringify(worst)}, share ${share}`,
        ).toBe(true);
      }
      expect(compared).toBe(tensors.has('dstate_initial') ? 6 : 5);
    });
  }
});
