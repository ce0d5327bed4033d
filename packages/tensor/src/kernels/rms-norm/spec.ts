import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { rmsNormKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (name: string, rows: number, D: number, bias: boolean) => ({
  name: `${name}: ${rows} x ${D}${bias ? ' with bias' : ''}`,
  params: { rows, D, eps: 1e-6 },
  buffers: (random: Random) => ({
    x: random.tensor(rows * D, 'fp32', 3, 0.5),
    weight: random.tensor(D, 'fp32', 0.2, 1),
    bias: bias ? random.tensor(D) : undefined,
    y: { dtype: 'fp32' as const, length: rows * D },
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: rmsNormKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one row', 1, 256, false),
    shape('odd', 7, 129, true),
    shape('one column', 5, 1, false),
    shape('wider than a workgroup', 3, 1000, true),
  ],
  tolerances: { y: FLOAT32 },
  bench: [shape('decode 7B', 1, 4096, false), shape('prefill 7B', 512, 4096, false)],
  cost: ({ rows, D }) => ({ flops: 4 * rows * D, bytes: 4 * (2 * rows * D + D) }),
});
