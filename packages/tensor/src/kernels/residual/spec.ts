import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { residualKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (name: string, count: number, inPlace: boolean) => ({
  name: `${name}: ${count}${inPlace ? ' in place' : ''}`,
  params: { count },
  buffers: (random: Random) => ({
    x: inPlace ? undefined : random.tensor(count),
    y: random.tensor(count),
    result: inPlace ? random.tensor(count) : { dtype: 'fp32' as const, length: count },
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: residualKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one element', 1, false),
    shape('odd', 777, false),
    shape('one element', 1, true),
    shape('several workgroups', 1025, true),
  ],
  tolerances: { result: FLOAT32 },
  bench: [
    shape('decode 7B', 4096, true),
    shape('prefill 7B', 512 * 4096, true),
    shape('prefill 7B', 512 * 4096, false),
  ],
  cost: ({ count }) => ({ flops: count, bytes: 12 * count }),
});
