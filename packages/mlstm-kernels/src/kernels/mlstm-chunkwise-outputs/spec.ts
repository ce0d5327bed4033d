import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { arrange, type CaseOptions, layouts, operandData, rowLayout, stateData } from '../../testing/case-data.ts';
import { mlstmChunkwiseOutputsKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  [B, NH, S, DHQK, DHHV, L]: readonly [number, number, number, number, number, number],
  options: CaseOptions & { readout?: boolean } = {},
) => {
  const sizes = { B, NH, S, DHQK, DHHV };
  const chunks = Math.ceil(S / L);
  return {
    name: `${name}: B=${B} NH=${NH} S=${S} ${DHQK}x${DHHV} L=${L}`,
    params: {
      ...layouts(sizes, ['q', 'k', 'v', 'i', 'f', 'h'], options.arrangement),
      ...rowLayout(sizes, 'readout'),
      readout_plane: B * NH * S,
      ...sizes,
      L,
      sigmoid: options.sigmoid ? 1 : 0,
      normalize: options.normalize === false ? 0 : 1,
      eps: 1e-6,
    },
    buffers: (random: Random) => ({
      q: operandData(random, sizes, 'q', options),
      k: operandData(random, sizes, 'k', options),
      v: operandData(random, sizes, 'v', options),
      i: operandData(random, sizes, 'i', options),
      f: operandData(random, sizes, 'f', options),
      // The planes of one state of NH * NC heads are those of NC states of NH heads.
      entering: stateData(random, { ...sizes, NH: NH * chunks }, options),
      h: { dtype: 'fp32' as const, length: arrange(sizes, 'h', options.arrangement ?? 'head-major').length },
      readout: options.readout ? { dtype: 'fp32' as const, length: 2 * B * NH * S } : undefined,
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: mlstmChunkwiseOutputsKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one block', [1, 2, 32, 16, 32, 32]),
    shape('odd, last chunk masked', [2, 3, 71, 5, 7, 32], { readout: true }),
    shape('one step of one', [1, 1, 1, 1, 1, 32]),
    shape('chunks of two blocks, the second short', [1, 2, 115, 18, 24, 64], { readout: true }),
    shape('several column tiles', [1, 1, 33, 40, 140, 64], { readout: true }),
    shape('one chunk of 256', [1, 1, 250, 8, 12, 256]),
    shape('extreme gates', [1, 2, 150, 8, 12, 96], { extremes: true, gates: 3 }),
    shape('extreme gates, more keys', [1, 2, 150, 16, 12, 96], { extremes: true, gates: 3 }),
    shape('sigmoid gate', [1, 2, 70, 8, 24, 64], { sigmoid: true }),
    shape('sigmoid gate, extreme, not normalised', [1, 2, 90, 8, 9, 64], {
      sigmoid: true,
      normalize: false,
      extremes: true,
    }),
    shape('tiles of vectors, several, the last of each short', [2, 2, 87, 20, 132, 64], { readout: true }),
    shape('tiles of vectors, whole', [1, 2, 128, 16, 128, 64]),
    shape('tiles of vectors, extreme gates', [1, 2, 150, 16, 12, 64], { extremes: true, gates: 3 }),
    shape('tiles of vectors, sigmoid gate, extreme', [1, 2, 70, 8, 12, 64], {
      sigmoid: true,
      normalize: false,
      extremes: true,
    }),
  ],
  tolerances: {
    h: {
      ...FLOAT32,
      rtol: 5e-5,
      reason:
        'with extreme gates and few keys a query may lie across the state: measured, a readout whose terms cancel by a factor of 413',
    },
    readout: FLOAT32,
  },
  bench: [
    shape('prefill 7B', [1, 8, 512, 256, 512, 64]),
    shape('prefill 7B, long', [1, 8, 2048, 256, 512, 64]),
    shape('small', [1, 4, 256, 32, 64, 64]),
  ],
  cost: ({ B, NH, S, DHQK, DHHV, L }) => ({
    flops: B * NH * S * (L * (DHQK + DHHV) + 2 * DHQK * DHHV),
    bytes: 4 * B * NH * (Math.ceil(S / L) * DHQK * DHHV + S * (2 * DHQK + 2 * DHHV + 2)),
  }),
});
