import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { softCapBackwardKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Options {
  inPlace?: boolean;
  offset?: number;
  extra?: number;
  accumulate?: boolean;
  values?: readonly number[];
}

const shape = (
  name: string,
  rows: number,
  D: number,
  cap: number,
  { inPlace = false, offset = 0, extra = 0, accumulate = false, values }: Options = {},
) => ({
  name: `${name}: ${rows} x ${D}, cap ${cap}${accumulate ? ', added' : ''}`,
  params: { rows, D, cap, dxOffset: offset, dxStride: D + extra, accumulate: accumulate ? 1 : 0 },
  buffers: (random: Random) => ({
    y: {
      dtype: 'fp32' as const,
      data: values ? Float32Array.from(values) : random.normals(rows * D).map((value) => cap * Math.tanh(value)),
    },
    dy: inPlace ? undefined : random.tensor(rows * D),
    // What lies between the columns must stay as it is.
    dx:
      inPlace || accumulate || extra > 0
        ? random.tensor(offset + rows * (D + extra))
        : { dtype: 'fp32' as const, length: rows * D },
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: softCapBackwardKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('logits', 3, 1001, 30),
    shape('in place', 2, 333, 30, { inPlace: true }),
    shape('columns', 5, 13, 15, { offset: 3, extra: 20 }),
    shape('columns', 5, 13, 15, { offset: 3, extra: 20, accumulate: true }),
    shape('at the cap', 1, 5, 15, { values: [15, -15, 14.999999, 0, -1e-20] }),
  ],
  tolerances: { dx: FLOAT32 },
  bench: [shape('logits 7B', 64, 50304, 30, { inPlace: true }), shape('gates', 512, 16, 15)],
  cost: ({ rows, D }) => ({ flops: 5 * rows * D, bytes: 12 * rows * D }),
});
