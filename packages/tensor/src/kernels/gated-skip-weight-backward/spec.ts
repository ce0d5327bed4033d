import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { gatedSkipWeightBackwardKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (name: string, rows: number, D: number, chunk: number, offset = 0, extra = 0) => ({
  name: `${name}: ${rows} x ${D} by ${chunk}`,
  params: { rows, D, chunk, zOffset: offset, zStride: D + extra },
  buffers: (random: Random) => ({
    a: random.tensor(rows * D),
    z: random.tensor(offset + rows * (D + extra), 'fp32', 20),
    dy: random.tensor(rows * D),
    partials: { dtype: 'fp32' as const, length: Math.ceil(rows / chunk) * D },
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: gatedSkipWeightBackwardKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [shape('one row', 1, 7, 16), shape('odd', 35, 67, 16, 67, 67), shape('several columns', 9, 130, 4)],
  tolerances: { partials: FLOAT32 },
  bench: [shape('stories', 32768, 512, 128, 512, 512)],
  cost: ({ rows, D }) => ({ flops: 8 * rows * D, bytes: 12 * rows * D }),
});
