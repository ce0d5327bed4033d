import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { tilesOf } from '../../backward-rows.ts';
import { gradientData, normals, rowsData } from '../../testing/backward-data.ts';
import { arrange, type CaseOptions, layoutAs, layouts, operandData, stateData } from '../../testing/case-data.ts';
import { mlstmChunkwiseBackwardQueriesKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  [B, NH, S, DHQK, DHHV, L]: readonly [number, number, number, number, number, number],
  options: CaseOptions & { accumulate?: boolean } = {},
) => {
  const sizes = { B, NH, S, DHQK, DHHV, L };
  const chunks = Math.ceil(S / L);
  return {
    name: `${name}: B=${B} NH=${NH} S=${S} ${DHQK}x${DHHV} L=${L}`,
    params: {
      ...layouts(sizes, ['q', 'k'], options.arrangement),
      ...layoutAs(sizes, 'h', 'dh', options.arrangement),
      ...layoutAs(sizes, 'q', 'gradient', options.arrangement),
      ...sizes,
      accumulate: options.accumulate ? 1 : 0,
    },
    buffers: (random: Random) => ({
      q: operandData(random, sizes, 'q', options),
      k: operandData(random, sizes, 'k', options),
      dh: normals(random, arrange(sizes, 'h', options.arrangement ?? 'head-major').length),
      rows: rowsData(random, sizes, options),
      entering: stateData(random, { ...sizes, NH: NH * chunks }, options),
      scores: normals(random, 2 * B * NH * chunks * L * L),
      gradient: gradientData(random, sizes, 'q', options),
      arriving: { dtype: 'fp32' as const, length: tilesOf(DHQK) * B * NH * S },
    }),
  };
};

/** Products of both signs; what is left of them may be small. */
const SUMS = { ...FLOAT32, atol: 2e-5 };

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: mlstmChunkwiseBackwardQueriesKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one tile', [1, 2, 64, 16, 32, 64]),
    shape('odd, last chunk masked, added', [2, 3, 71, 5, 7, 32], { accumulate: true }),
    shape('one of everything', [1, 1, 1, 1, 1, 32]),
    shape('several tiles, sequence-major', [1, 2, 100, 70, 67, 96], { arrangement: 'sequence-major' }),
    shape('one chunk of three tiles', [1, 1, 150, 4, 5, 150]),
    shape('extreme gates', [1, 2, 90, 8, 12, 64], { extremes: true }),
  ],
  tolerances: { gradient: SUMS, arriving: SUMS },
  bench: [shape('7B', [1, 8, 512, 256, 512, 64]), shape('small', [1, 4, 256, 32, 64, 64])],
  cost: ({ B, NH, S, DHQK, DHHV, L }) => ({
    flops: B * NH * S * (2 * DHQK * DHHV + L * DHQK),
    bytes: 4 * B * NH * (Math.ceil(S / L) * DHQK * DHHV + S * (2 * DHQK + DHQK + DHHV + L)),
  }),
});
