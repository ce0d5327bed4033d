import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { embeddingBackwardKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Extras {
  accumulate?: boolean;
  /** Which share of the tokens is the last id; the rest is spread over all. */
  common?: number;
}

const shape = (name: string, T: number, V: number, D: number, { accumulate = false, common = 0 }: Extras = {}) => ({
  name: `${name}: ${T} of ${V} x ${D}${accumulate ? ', added' : ''}`,
  params: { T, V, D, accumulate: accumulate ? 1 : 0 },
  buffers: (random: Random) => ({
    ids: {
      dtype: 'i32' as const,
      data: Int32Array.from({ length: T }, () => (random.uniform() < common ? V - 1 : random.integer(V))),
    },
    dy: random.tensor(T * D, 'fp32', 1 / Math.sqrt(1 + common * T)),
    dweight: accumulate ? random.tensor(V * D) : { dtype: 'fp32' as const, length: V * D },
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: embeddingBackwardKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one token', 1, 3, 5),
    shape('odd', 37, 11, 13),
    shape('a block of one id', 33, 2, 3, { common: 1 }),
    shape('several blocks', 1100, 7, 9, { common: 0.4, accumulate: true }),
    shape('wider than a workgroup', 5, 3, 300, { accumulate: true }),
    shape('more ids than tokens', 9, 70, 4),
  ],
  tolerances: { dweight: FLOAT32 },
  bench: [
    shape('stories', 32768, 512, 256, { common: 0.1, accumulate: true }),
    shape('7B', 4096, 50304, 4096, { common: 0.05, accumulate: true }),
  ],
  cost: ({ T, V, D, accumulate }) => ({
    flops: T * D,
    bytes: 4 * (T * D + T + (accumulate ? Math.min(2 * T, V) : V) * D),
  }),
});
