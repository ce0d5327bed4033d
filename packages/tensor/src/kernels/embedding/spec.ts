import type { FloatDtype } from '@xlstm/device';
import { defineSpec, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { embeddingKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (name: string, rows: number, V: number, D: number, dtype: FloatDtype) => ({
  name: `${name}: ${rows} of ${V} x ${D} ${dtype}`,
  params: { rows, V, D },
  buffers: (random: Random) => ({
    // The first and the last row are always among them.
    ids: {
      dtype: 'i32' as const,
      data: Int32Array.from({ length: rows }, (_, row) => (row === 0 ? V - 1 : row === 1 ? 0 : random.integer(V))),
    },
    weight: random.tensor(V * D, dtype),
    y: { dtype: 'fp32' as const, length: rows * D },
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: embeddingKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one id', 1, 11, 64, 'fp32'),
    shape('odd', 7, 13, 37, 'fp32'),
    shape('odd', 7, 13, 37, 'bf16'),
    shape('odd', 7, 13, 37, 'fp16'),
    shape('wider than a workgroup', 3, 5, 700, 'bf16'),
  ],
  // Widening is exact; a bound must be above zero to be a share of.
  tolerances: { y: { relativeRms: 1e-12, atol: 1e-12, rtol: 0 } },
  bench: [
    shape('decode 7B', 1, 50304, 4096, 'bf16'),
    shape('prefill 7B', 512, 50304, 4096, 'bf16'),
    shape('small', 16, 512, 256, 'fp32'),
  ],
  cost: ({ rows, D }, { weight }) => ({ flops: 0, bytes: rows * D * (weight === 'fp32' ? 8 : 6) }),
});
