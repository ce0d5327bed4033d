import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { arrange, type CaseOptions, layouts, operandData, stateData } from '../../testing/case-data.ts';
import { mlstmStepKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  [B, NH, S, DHQK, DHHV]: readonly [number, number, number, number, number],
  options: CaseOptions = {},
  whole = false,
) => {
  const sizes = { B, NH, S, DHQK, DHHV };
  return {
    name: `${name}: B=${B} NH=${NH} S=${S} ${DHQK}x${DHHV}${whole ? ', n and m as well' : ''}`,
    params: {
      ...layouts(sizes, ['q', 'k', 'v', 'i', 'f', 'h'], options.arrangement),
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
      arrivals: whole ? { dtype: 'u32' as const, data: new Uint32Array(B * NH) } : undefined,
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: mlstmStepKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one step', [1, 4, 1, 16, 32]),
    shape('odd', [2, 3, 1, 5, 7]),
    shape('one column', [1, 1, 1, 1, 1]),
    shape('deeper than four times 64 rows', [1, 4, 1, 323, 20]),
    shape('several steps', [2, 2, 9, 17, 36]),
    shape('one step', [1, 4, 1, 16, 72], {}, true),
    shape('one step', [2, 4, 1, 270, 40], {}, true),
    shape('wide tiles', [8, 8, 1, 7, 512], {}, true),
    shape('several steps', [2, 3, 5, 9, 37], {}, true),
    shape('sigmoid gate', [1, 4, 1, 8, 24], { sigmoid: true }, true),
    shape('extreme gates', [1, 4, 24, 8, 12], { extremes: true, gates: 3 }, true),
    shape('extreme gates', [1, 2, 24, 8, 12], { extremes: true, gates: 3 }),
    shape('extreme gates and whole vectors', [1, 4, 24, 8, 12], { extremes: true, gates: 3 }),
    shape('sigmoid gate', [1, 4, 5, 8, 24], { sigmoid: true }),
    shape('sigmoid gate, extreme, not normalised', [1, 3, 24, 8, 9], {
      sigmoid: true,
      normalize: false,
      extremes: true,
    }),
  ],
  tolerances: { state: FLOAT32, h: FLOAT32, arrivals: FLOAT32 },
  bench: [
    shape('decode 7B', [1, 8, 1, 256, 512], {}, true),
    shape('decode 7B, batch 8', [8, 8, 1, 256, 512], {}, true),
    shape('mLSTM step, batch 128', [128, 8, 1, 256, 512], {}, true),
    shape('small', [1, 4, 1, 32, 64]),
  ],
  cost: ({ B, NH, S, DHQK, DHHV }) => ({
    flops: 5 * B * NH * S * DHQK * DHHV,
    bytes: 4 * B * NH * S * (2 * DHQK * DHHV + 2 * DHQK + 2 * DHHV),
  }),
});
