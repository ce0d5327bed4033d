import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { copyColumnsKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (name: string, rows: number, D: number, offset = 0, extra = 0, accumulate = 0) => ({
  name: `${name}: ${rows} x ${D}${accumulate ? ', added' : ''}`,
  params: {
    rows,
    D,
    sourceOffset: offset,
    sourceStride: D + extra,
    targetOffset: 2 * offset,
    targetStride: D + 2 * extra,
    accumulate,
  },
  buffers: (random: Random) => ({
    source: random.tensor(offset + rows * (D + extra)),
    // What lies between the columns must stay as it is.
    target: random.tensor(2 * offset + rows * (D + 2 * extra)),
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: copyColumnsKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one element', 1, 1),
    shape('columns', 5, 67, 3, 20),
    shape('columns', 5, 67, 3, 20, 1),
    shape('several workgroups', 3, 200, 0, 0, 1),
  ],
  tolerances: { target: FLOAT32 },
  bench: [shape('stories', 32768, 256, 256, 512), shape('stories', 32768, 256, 256, 512, 1)],
  cost: ({ rows, D, accumulate }) => ({ flops: accumulate * rows * D, bytes: (8 + 4 * accumulate) * rows * D }),
});
