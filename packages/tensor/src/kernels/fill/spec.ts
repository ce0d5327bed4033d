import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { fillKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (rows: number, D: number, yOffset: number, yStride: number) => ({
  name: `${rows} x ${D} at ${yOffset}, ${yStride} apart`,
  params: { rows, D, yOffset, yStride, value: -2.5 },
  // What lies between the rows must stay as it was.
  buffers: (random: Random) => ({ y: random.tensor(yOffset + rows * yStride) }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: fillKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [shape(1, 1, 0, 1), shape(1, 777, 0, 777), shape(7, 129, 3, 200)],
  tolerances: { y: FLOAT32 },
  bench: [shape(1, 1 << 22, 0, 1 << 22)],
  cost: ({ rows, D }) => ({ flops: 0, bytes: 4 * rows * D }),
});
