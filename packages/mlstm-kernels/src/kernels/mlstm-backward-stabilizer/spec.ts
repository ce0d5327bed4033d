import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { normals, rowsData } from '../../testing/backward-data.ts';
import { type CaseOptions, stateData } from '../../testing/case-data.ts';
import { mlstmBackwardStabilizerKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  [B, NH, S, DHQK, DHHV, L]: readonly [number, number, number, number, number, number],
  options: CaseOptions & { whole?: boolean } = {},
) => {
  const sizes = { B, NH, S, DHQK, DHHV, L };
  return {
    name: `${name}: B=${B} NH=${NH} S=${S} ${DHQK}x${DHHV} L=${L}`,
    params: {
      ...sizes,
      flux_tiles: 6,
      whole: options.whole ? 1 : 0,
      sigmoid: options.sigmoid ? 1 : 0,
    },
    buffers: (random: Random) => ({
      rows: rowsData(random, sizes, options),
      flux: normals(random, 6 * B * NH * (Math.ceil(S / L) + 1)),
      carry: stateData(random, sizes),
      shares: { dtype: 'fp32' as const, length: 2 * B * NH * S },
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: mlstmBackwardStabilizerKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('whole', [1, 2, 64, 3, 4, 64], { whole: true }),
    shape('odd', [2, 3, 71, 5, 7, 32]),
    shape('one of everything', [1, 1, 1, 1, 1, 32], { whole: true }),
    shape('longer than a workgroup', [1, 2, 700, 2, 3, 64], { whole: true }),
    shape('sigmoid gate', [1, 2, 70, 2, 3, 32], { sigmoid: true, whole: true }),
  ],
  tolerances: { carry: FLOAT32, shares: { ...FLOAT32, atol: 1e-5 } },
  bench: [shape('7B', [1, 8, 512, 256, 512, 64]), shape('small', [1, 4, 256, 32, 64, 64])],
  cost: ({ B, NH, S }) => ({ flops: 10 * B * NH * S, bytes: 16 * B * NH * S }),
});
