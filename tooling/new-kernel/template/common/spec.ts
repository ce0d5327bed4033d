import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { exampleScaleKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (name: string, n: number, a: number) => ({
  name: `${name}: ${n}`,
  params: { n, a },
  buffers: (random: Random) => ({
    x: random.tensor(n),
    y: { dtype: 'fp32' as const, length: n },
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: exampleScaleKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one element', 1, -2.5),
    shape('odd', 777, 0.3),
    shape('whole workgroups', 1024, 3),
    shape('to zero', 33, 0),
  ],
  tolerances: { y: FLOAT32 },
  bench: [shape('small', 4096, 0.5), shape('large', 2 ** 22, 0.5)],
  cost: ({ n }) => ({ flops: n, bytes: 8 * n }),
});
