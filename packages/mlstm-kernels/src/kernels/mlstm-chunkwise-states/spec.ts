import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { type CaseOptions, layouts, operandData, stateData } from '../../testing/case-data.ts';
import { mlstmChunkwiseStatesKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  [B, NH, S, DHQK, DHHV, L]: readonly [number, number, number, number, number, number],
  options: CaseOptions & { lastOnly?: boolean } = {},
) => {
  const sizes = { B, NH, S, DHQK, DHHV };
  const state = B * NH * (DHQK * DHHV + DHQK + 1);
  return {
    name: `${name}: B=${B} NH=${NH} S=${S} ${DHQK}x${DHHV} L=${L}`,
    params: {
      ...layouts(sizes, ['k', 'v', 'i', 'f'], options.arrangement),
      ...sizes,
      L,
      sigmoid: options.sigmoid ? 1 : 0,
    },
    buffers: (random: Random) => ({
      k: operandData(random, sizes, 'k', options),
      v: operandData(random, sizes, 'v', options),
      i: operandData(random, sizes, 'i', options),
      f: operandData(random, sizes, 'f', options),
      initial: stateData(random, sizes, options),
      entering: options.lastOnly ? undefined : { dtype: 'fp32' as const, length: state * Math.ceil(S / L) },
      last: { dtype: 'fp32' as const, length: state },
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: mlstmChunkwiseStatesKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one chunk', [1, 2, 32, 16, 32, 32]),
    shape('odd, last chunk masked', [2, 3, 71, 5, 7, 32]),
    shape('one column', [1, 1, 3, 1, 1, 32]),
    shape('several tiles, sequence-major', [1, 2, 37, 70, 131, 32], { arrangement: 'sequence-major' }),
    shape('chunks of 256, last state only', [1, 1, 300, 8, 12, 256], { lastOnly: true }),
    shape('extreme gates', [1, 2, 150, 8, 12, 64], { extremes: true, gates: 3 }),
    shape('sigmoid gate', [1, 2, 70, 8, 24, 32], { sigmoid: true }),
    shape('sigmoid gate, extreme', [1, 2, 150, 8, 9, 64], { sigmoid: true, extremes: true }),
    shape('chunks of 64, several tiles, the last of each short', [1, 2, 87, 70, 131, 64], {
      arrangement: 'sequence-major',
    }),
    shape('chunks of 64, whole tiles', [1, 1, 128, 64, 128, 64]),
    shape('chunks of 64, last state only', [2, 1, 70, 5, 7, 64], { lastOnly: true }),
    shape('chunks of 64, sigmoid gate', [1, 2, 70, 8, 24, 64], { sigmoid: true }),
  ],
  tolerances: { entering: FLOAT32, last: FLOAT32 },
  bench: [
    shape('prefill 7B', [1, 8, 512, 256, 512, 64]),
    shape('prefill 7B, long', [1, 8, 2048, 256, 512, 64]),
    shape('small', [1, 4, 256, 32, 64, 64]),
  ],
  cost: ({ B, NH, S, DHQK, DHHV, L }, { entering }) => ({
    flops: 2 * B * NH * S * DHQK * DHHV,
    bytes: 4 * B * NH * ((entering ? Math.ceil(S / L) + 2 : 2) * DHQK * DHHV + S * (DHQK + DHHV + 2)),
  }),
});
