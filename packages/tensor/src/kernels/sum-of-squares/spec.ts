import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { sumOfSquaresKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

/** Elements are scaled so that a part is about 1; parts before `first` must stay as they are. */
const shape = (length: number, parts: number, first = 0) => ({
  name: `${length} in ${parts} parts from ${first}`,
  params: { length, first, parts },
  buffers: (random: Random) => ({
    x: random.tensor(length, 'fp32', Math.sqrt(parts / length)),
    partials: random.tensor(first + parts),
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: sumOfSquaresKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [shape(1, 1), shape(777, 1, 3), shape(1000, 7, 2), shape(3000, 2), shape(5, 4)],
  tolerances: { partials: FLOAT32 },
  bench: [shape(1 << 20, 64), shape(1 << 26, 256)],
  cost: ({ length }) => ({ flops: 2 * length, bytes: 4 * length }),
});
