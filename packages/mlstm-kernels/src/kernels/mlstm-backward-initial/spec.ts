import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { mlstmStateLength } from '../../state.ts';
import { normals } from '../../testing/backward-data.ts';
import { type CaseOptions, stateData } from '../../testing/case-data.ts';
import { mlstmBackwardInitialKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  [B, NH, S, DHQK, DHHV, L]: readonly [number, number, number, number, number, number],
  options: CaseOptions & { accumulate?: boolean } = {},
) => {
  const sizes = { B, NH, S, DHQK, DHHV, L };
  return {
    name: `${name}: B=${B} NH=${NH} S=${S} ${DHQK}x${DHHV} L=${L}`,
    params: {
      B,
      NH,
      DHQK,
      DHHV,
      NC: Math.ceil(S / L),
      flux_tiles: 6,
      sigmoid: options.sigmoid ? 1 : 0,
      accumulate: options.accumulate ? 1 : 0,
    },
    buffers: (random: Random) => ({
      carry: stateData(random, sizes),
      flux: normals(random, 6 * B * NH * (Math.ceil(S / L) + 1)),
      gradient: options.accumulate
        ? stateData(random, sizes)
        : { dtype: 'fp32' as const, length: mlstmStateLength(sizes) },
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: mlstmBackwardInitialKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('replaced', [1, 2, 64, 3, 4, 64]),
    shape('added', [2, 3, 71, 5, 70, 32], { accumulate: true }),
    shape('one of everything', [1, 1, 1, 1, 1, 32]),
    shape('sigmoid gate', [1, 2, 64, 3, 4, 64], { sigmoid: true }),
  ],
  tolerances: { gradient: { ...FLOAT32, atol: 5e-6 } },
  bench: [shape('7B', [1, 8, 512, 256, 512, 64]), shape('small', [1, 4, 256, 32, 64, 64])],
  cost: ({ B, NH, DHQK, DHHV }) => ({ flops: B * NH * DHQK * DHHV, bytes: 8 * B * NH * DHQK * DHHV }),
});
