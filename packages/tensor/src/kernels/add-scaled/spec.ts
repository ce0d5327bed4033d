import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { addScaledKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (count: number, accumulate: number) => ({
  name: `${count}${accumulate ? ' added' : ''}`,
  params: { count, accumulate },
  buffers: (random: Random) => ({
    x: random.tensor(count),
    scale: random.tensor(1, 'fp32', 0.5, 2),
    y: accumulate ? random.tensor(count) : { dtype: 'fp32' as const, length: count },
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: addScaledKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [shape(1, 0), shape(777, 0), shape(1000, 1)],
  tolerances: { y: FLOAT32 },
  bench: [shape(1 << 22, 1)],
  cost: ({ count }) => ({ flops: 2 * count, bytes: 12 * count }),
});
