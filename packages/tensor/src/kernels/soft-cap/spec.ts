import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { softCapKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Options {
  scale?: number;
  inPlace?: boolean;
  offset?: number;
  extra?: number;
  values?: readonly number[];
}

const shape = (
  name: string,
  rows: number,
  D: number,
  cap: number,
  { scale = 20, inPlace = false, offset = 0, extra = 0, values }: Options = {},
) => ({
  name: `${name}: ${rows} x ${D}, cap ${cap}${inPlace ? ', in place' : ''}`,
  params: { rows, D, xOffset: offset, xStride: D + extra, cap },
  buffers: (random: Random) => {
    const x = values
      ? { dtype: 'fp32' as const, data: Float32Array.from(values) }
      : random.tensor(offset + rows * (D + extra), 'fp32', scale);
    return inPlace ? { x: undefined, y: x } : { x, y: { dtype: 'fp32' as const, length: rows * D } };
  },
});

const extremes = [-1e30, 1e30, -3e38, 3e38, -1e4, 1e4, -100, 100, 0, -3.75, 3.75, 3.7499, Infinity, -Infinity];

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: softCapKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('logits', 3, 1001, 30),
    shape('in place', 2, 333, 30, { inPlace: true }),
    shape('columns of a wider tensor', 5, 13, 15, { offset: 3, extra: 20 }),
    shape('extremes', 1, extremes.length, 15, { values: extremes }),
    shape('near zero, held to relative bounds', 1, 500, 1e6, { scale: 3e4 }),
    shape('around the change of formula', 1, 500, 15, { scale: 4 }),
  ],
  tolerances: { y: FLOAT32 },
  bench: [
    shape('logits 7B', 1, 50304, 30, { inPlace: true }),
    shape('prefill logits 7B', 64, 50304, 30),
    shape('gates', 1, 16, 15),
  ],
  cost: ({ rows, D }) => ({ flops: 10 * rows * D, bytes: 8 * rows * D }),
});
