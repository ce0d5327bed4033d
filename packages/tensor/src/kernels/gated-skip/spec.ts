import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { gatedSkipKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (name: string, rows: number, D: number, offset = 0, extra = 0, gates?: readonly number[]) => ({
  name: `${name}: ${rows} x ${D}`,
  params: { rows, D, zOffset: offset, zStride: D + extra },
  buffers: (random: Random) => ({
    h: random.tensor(rows * D),
    skip: random.tensor(D, 'fp32', 0.5, 1),
    a: random.tensor(rows * D),
    z: gates
      ? { dtype: 'fp32' as const, data: Float32Array.from(gates) }
      : random.tensor(offset + rows * (D + extra), 'fp32', 3),
    y: { dtype: 'fp32' as const, length: rows * D },
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: gatedSkipKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one element', 1, 1),
    shape('half of the up-projection', 5, 67, 67, 67),
    shape('extreme gates', 1, 7, 0, 0, [-1e30, -100, -88.5, 0, 87, 100, 1000]),
    shape('several workgroups', 2, 150),
  ],
  tolerances: { y: FLOAT32 },
  bench: [shape('stories', 32768, 512, 512, 512), shape('small', 16, 128, 128, 128)],
  cost: ({ rows, D }) => ({ flops: 8 * rows * D, bytes: 16 * rows * D }),
});
