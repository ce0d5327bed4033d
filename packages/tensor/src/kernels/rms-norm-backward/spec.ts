import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { rmsNormBackwardKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Options {
  accumulate?: boolean;
  dx?: boolean;
  stats?: boolean;
  scale?: number;
}

const shape = (
  name: string,
  rows: number,
  D: number,
  { accumulate = false, dx = true, stats = true, scale = 3 }: Options = {},
) => ({
  name: `${name}: ${rows} x ${D}${accumulate ? ', added' : ''}`,
  params: { rows, D, eps: 1e-6, accumulate: accumulate ? 1 : 0 },
  buffers: (random: Random) => ({
    x: random.tensor(rows * D, 'fp32', scale, 0.5 * scale),
    weight: random.tensor(D, 'fp32', 0.2, 1),
    dy: random.tensor(rows * D),
    dx: !dx ? undefined : accumulate ? random.tensor(rows * D) : { dtype: 'fp32' as const, length: rows * D },
    stats: stats ? { dtype: 'fp32' as const, length: 2 * rows } : undefined,
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: rmsNormBackwardKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one row', 1, 256, { stats: false }),
    shape('odd', 7, 129, { accumulate: true }),
    shape('one column, whose gradient cancels', 5, 1, { accumulate: true }),
    shape('wider than a workgroup', 3, 1000),
    shape('statistics alone', 5, 33, { dx: false }),
    shape('large values', 3, 65, { scale: 1e9 }),
    shape('values below sqrt(eps)', 3, 65, { scale: 1e-5, accumulate: true }),
  ],
  tolerances: { dx: FLOAT32, stats: FLOAT32 },
  bench: [shape('7B', 512, 4096), shape('stories', 32768, 256)],
  cost: ({ rows, D }) => ({ flops: 9 * rows * D, bytes: 4 * (3 * rows * D + D) }),
});
