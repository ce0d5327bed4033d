import { defineSpec, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { slstmPackRecurrentKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (NH: number, DH: number, by_input: number) => ({
  name: `NH=${NH} DH=${DH} by ${by_input ? 'input' : 'output'}`,
  params: { NH, DH, by_input },
  buffers: (random: Random) => ({
    recurrent: random.tensor(4 * NH * DH * DH),
    packed: { dtype: 'fp32' as const, length: 4 * NH * DH * DH },
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: slstmPackRecurrentKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [shape(1, 1, 1), shape(3, 5, 1), shape(3, 5, 0), shape(2, 17, 1), shape(2, 17, 0)],
  tolerances: { packed: { relativeRms: 1e-30, atol: 1e-30, rtol: 0, reason: 'nothing is computed' } },
  bench: [shape(3, 256, 1), shape(3, 256, 0), shape(4, 64, 1)],
  cost: ({ NH, DH }) => ({ flops: 0, bytes: 32 * NH * DH * DH }),
});
