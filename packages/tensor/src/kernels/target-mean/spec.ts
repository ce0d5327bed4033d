import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { targetMeanKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

/** `keep` says which share of the targets is not ignored. */
const shape = (T: number, keep: number, losses: boolean, ignoreIndex = -100) => ({
  name: `${T} targets, ${100 * keep} % counted, ${losses ? 'mean' : 'number'}`,
  params: { T, ignoreIndex },
  buffers: (random: Random) => ({
    targets: {
      dtype: 'i32' as const,
      data: Int32Array.from({ length: T }, () => (random.uniform() < keep ? random.integer(50) : ignoreIndex)),
    },
    losses: losses ? random.tensor(T, 'fp32', 1, 5) : undefined,
    result: { dtype: 'fp32' as const, length: 1 },
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: targetMeanKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape(1, 1, true),
    shape(777, 1, true),
    shape(777, 0.6, true, 3),
    shape(1030, 0.1, false, -1),
    shape(33, 0, true),
    shape(33, 0, false),
  ],
  tolerances: { result: FLOAT32 },
  bench: [shape(32768, 1, true), shape(32768, 1, false)],
  cost: ({ T }, { losses }) => ({ flops: losses ? T : 0, bytes: T * (losses ? 8 : 4) }),
});
