import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { fillWhereKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (rows: number, D: number, apart: number, accumulate: number) => ({
  name: `${rows} x ${D}, ${apart} apart${accumulate ? ', added' : ''}`,
  params: { rows, D, xOffset: 1, xStride: D + apart, yOffset: 2, yStride: D + 2 * apart, id: 3, value: -2, accumulate },
  buffers: (random: Random) => ({
    x: random.tensor(1 + rows * (D + apart)),
    ids: { dtype: 'i32' as const, data: Int32Array.from({ length: rows }, (_, row) => (row * 5) % 4) },
    // What lies between the rows must stay as it was.
    y: random.tensor(2 + rows * (D + 2 * apart)),
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: fillWhereKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [shape(1, 1, 0, 0), shape(9, 4, 4, 0), shape(77, 129, 3, 1)],
  tolerances: { y: FLOAT32 },
  bench: [shape(32768, 4, 4, 0)],
  cost: ({ rows, D }) => ({ flops: 0, bytes: 4 * (2 * rows * D + rows) }),
});
