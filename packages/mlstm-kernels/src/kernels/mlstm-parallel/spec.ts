import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { arrange, type CaseOptions, layouts, operandData, rowLayout, stateData } from '../../testing/case-data.ts';
import { mlstmParallelKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  [B, NH, S, DHQK, DHHV]: readonly [number, number, number, number, number],
  options: CaseOptions & { readout?: boolean } = {},
) => {
  const sizes = { B, NH, S, DHQK, DHHV };
  return {
    name: `${name}: B=${B} NH=${NH} S=${S} ${DHQK}x${DHHV}`,
    params: {
      ...layouts(sizes, ['q', 'k', 'v', 'i', 'f', 'h'], options.arrangement),
      ...rowLayout(sizes, 'readout'),
      readout_plane: B * NH * S,
      ...sizes,
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
      state: stateData(random, sizes, options),
      h: { dtype: 'fp32' as const, length: arrange(sizes, 'h', options.arrangement ?? 'head-major').length },
      readout: options.readout ? { dtype: 'fp32' as const, length: 2 * B * NH * S } : undefined,
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: mlstmParallelKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one step', [1, 2, 1, 16, 32]),
    shape('odd', [2, 3, 13, 5, 7], { readout: true }),
    shape('one of everything', [1, 1, 1, 1, 1]),
    shape('longer than a workgroup', [1, 1, 300, 4, 3]),
    shape('wider than a workgroup', [1, 1, 3, 4, 300], { readout: true }),
    shape('extreme gates', [1, 2, 40, 8, 12], { extremes: true, gates: 3 }),
    shape('sigmoid gate', [1, 2, 20, 8, 24], { sigmoid: true }),
    shape('sigmoid gate, extreme, not normalised', [1, 2, 40, 8, 9], {
      sigmoid: true,
      normalize: false,
      extremes: true,
    }),
  ],
  tolerances: { h: FLOAT32, readout: FLOAT32 },
  bench: [shape('paper head', [1, 2, 256, 128, 256]), shape('small', [1, 4, 256, 32, 64])],
  cost: ({ B, NH, S, DHQK, DHHV }) => ({
    flops: B * NH * S * (S * (DHQK + DHHV) + 2 * DHQK * DHHV),
    bytes: 4 * B * NH * (DHQK * DHHV + S * (2 * DHQK + 2 * DHHV + 2)),
  }),
});
