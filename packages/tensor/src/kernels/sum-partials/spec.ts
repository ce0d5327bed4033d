import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { sumPartialsKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (name: string, parts: number, N: number, offset = 0, extra = 0, accumulate = 0) => ({
  name: `${name}: ${parts} x ${N}${accumulate ? ', added' : ''}`,
  params: { parts, stride: offset + N + extra, offset, N, accumulate },
  buffers: (random: Random) => ({
    partials: random.tensor(parts * (offset + N + extra), 'fp32', 1, 0.3),
    y: accumulate ? random.tensor(N) : { dtype: 'fp32' as const, length: N },
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: sumPartialsKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one part', 1, 5),
    shape('fewer parts than lanes', 7, 129, 3, 2, 1),
    shape('odd', 37, 67, 5, 40),
    shape('no parts give zero', 0, 9),
    shape('several workgroups', 20, 300, 0, 0, 1),
  ],
  tolerances: { y: FLOAT32 },
  bench: [shape('norm weights 7B', 256, 4096), shape('narrow', 256, 64)],
  cost: ({ parts, N }) => ({ flops: parts * N, bytes: 4 * (parts + 1) * N }),
});
