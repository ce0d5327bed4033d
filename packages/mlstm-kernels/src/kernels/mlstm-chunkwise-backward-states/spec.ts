import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { tilesOf } from '../../backward-rows.ts';
import { normals, rowsData } from '../../testing/backward-data.ts';
import { arrange, type CaseOptions, layoutAs, layouts, operandData, stateData } from '../../testing/case-data.ts';
import { mlstmChunkwiseBackwardStatesKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  [B, NH, S, DHQK, DHHV, L]: readonly [number, number, number, number, number, number],
  options: CaseOptions = {},
) => {
  const sizes = { B, NH, S, DHQK, DHHV, L };
  const chunks = Math.ceil(S / L);
  return {
    name: `${name}: B=${B} NH=${NH} S=${S} ${DHQK}x${DHHV} L=${L}`,
    params: {
      ...layouts(sizes, ['q'], options.arrangement),
      ...layoutAs(sizes, 'h', 'dh', options.arrangement),
      ...sizes,
    },
    buffers: (random: Random) => ({
      q: operandData(random, sizes, 'q', options),
      dh: normals(random, arrange(sizes, 'h', options.arrangement ?? 'head-major').length),
      rows: rowsData(random, sizes, options),
      entering: stateData(random, { ...sizes, NH: NH * chunks }, options),
      last: stateData(random, sizes, options),
      carry: stateData(random, sizes, options),
      leaving: { dtype: 'fp32' as const, length: B * NH * chunks * DHQK * (DHHV + 1) },
      flux: { dtype: 'fp32' as const, length: tilesOf(DHQK) * tilesOf(DHHV) * B * NH * (chunks + 1) },
    }),
  };
};

/** A tile's products are of both signs; what is left of them may be small. */
const FLUX = { ...FLOAT32, atol: 2e-5 };

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: mlstmChunkwiseBackwardStatesKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one tile', [1, 2, 64, 16, 32, 64]),
    shape('odd, last chunk masked', [2, 3, 71, 5, 7, 32]),
    shape('one of everything', [1, 1, 1, 1, 1, 32]),
    shape('several tiles, sequence-major', [1, 2, 100, 70, 67, 96], { arrangement: 'sequence-major' }),
    shape('one chunk of three tiles', [1, 1, 150, 4, 5, 150]),
    shape('extreme gates', [1, 2, 90, 8, 12, 64], { extremes: true }),
  ],
  tolerances: { carry: FLOAT32, leaving: FLOAT32, flux: FLUX },
  bench: [shape('7B', [1, 8, 512, 256, 512, 64]), shape('small', [1, 4, 256, 32, 64, 64])],
  cost: ({ B, NH, S, DHQK, DHHV, L }) => ({
    flops: 2 * B * NH * S * DHQK * DHHV,
    bytes: 4 * B * NH * (2 * (Math.ceil(S / L) + 1) * DHQK * DHHV + S * (DHQK + DHHV)),
  }),
});
