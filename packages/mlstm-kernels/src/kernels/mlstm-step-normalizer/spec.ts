import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { type CaseOptions, layouts, operandData, stateData } from '../../testing/case-data.ts';
import { mlstmStepNormalizerKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  [B, NH, S, DHQK, DHHV]: readonly [number, number, number, number, number],
  options: CaseOptions = {},
) => {
  const sizes = { B, NH, S, DHQK, DHHV };
  return {
    name: `${name}: B=${B} NH=${NH} S=${S} ${DHQK}x${DHHV}`,
    params: { ...layouts(sizes, ['k', 'i', 'f'], options.arrangement), ...sizes, sigmoid: options.sigmoid ? 1 : 0 },
    buffers: (random: Random) => ({
      k: operandData(random, sizes, 'k', options),
      i: operandData(random, sizes, 'i', options),
      f: operandData(random, sizes, 'f', options),
      state: stateData(random, sizes, options),
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: mlstmStepNormalizerKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one step', [1, 4, 1, 16, 2]),
    shape('odd, wider than a workgroup', [2, 3, 1, 301, 1]),
    shape('several steps, sequence-major', [2, 2, 9, 17, 3], { arrangement: 'sequence-major' }),
    shape('extreme gates', [1, 2, 24, 8, 2], { extremes: true, gates: 3 }),
    shape('sigmoid gate', [1, 4, 5, 8, 2], { sigmoid: true }),
  ],
  tolerances: { state: FLOAT32 },
  bench: [shape('decode 7B', [1, 8, 1, 256, 512])],
  cost: ({ B, NH, S, DHQK }) => ({ flops: 3 * B * NH * S * DHQK, bytes: 4 * B * NH * S * 3 * DHQK }),
});
