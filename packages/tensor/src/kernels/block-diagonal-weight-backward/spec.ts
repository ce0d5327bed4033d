import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { blockDiagonalWeightBackwardKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  rows: number,
  NB: number,
  DI: number,
  DO: number,
  { chunk = 16, offset = 0, extra = 0 }: { chunk?: number; offset?: number; extra?: number } = {},
) => ({
  name: `${name}: ${rows} x ${NB} blocks of ${DI} to ${DO} by ${chunk}`,
  params: {
    rows,
    NB,
    DI,
    DO,
    chunk,
    xOffset: offset,
    xStride: NB * DI + extra,
    dyOffset: 2 * offset,
    dyStride: NB * DO + 2 * extra,
  },
  buffers: (random: Random) => ({
    x: random.tensor(offset + rows * (NB * DI + extra)),
    dy: random.tensor(2 * offset + rows * (NB * DO + 2 * extra)),
    partials: { dtype: 'fp32' as const, length: Math.ceil(rows / chunk) * NB * DO * (DI + 1) },
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: blockDiagonalWeightBackwardKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one row', 1, 7, 4, 4),
    shape('columns', 35, 9, 4, 4, { offset: 3, extra: 11 }),
    shape('heads', 5, 3, 33, 33, { chunk: 2 }),
    shape('not square', 19, 2, 5, 7),
    shape('blocks of one', 3, 5, 1, 1),
  ],
  tolerances: { partials: FLOAT32 },
  bench: [
    shape('stories, q of an mLSTM', 32768, 128, 4, 4, { chunk: 128 }),
    shape('stories, a gate of an sLSTM', 32768, 4, 64, 64, { chunk: 128 }),
  ],
  cost: ({ rows, NB, DI, DO }) => ({ flops: 2 * rows * NB * DI * DO, bytes: 4 * rows * NB * (DI + DO) }),
});
