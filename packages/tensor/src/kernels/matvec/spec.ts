import type { FloatDtype } from '@xlstm/device';
import { defineSpec, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { matvecKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const BYTES = { fp32: 4, fp16: 2, bf16: 2 } as const;

/** Weights are scaled by 1/sqrt(K), so that products are about 1. */
const shape = (
  M: number,
  N: number,
  K: number,
  dtype: FloatDtype,
  extras: { bias?: true; accumulate?: true } = {},
) => ({
  name: `${M} x ${N} x ${K} ${dtype}${extras.bias ? ' with bias' : ''}${extras.accumulate ? ' added' : ''}`,
  params: { M, N, K, accumulate: extras.accumulate ? 1 : 0 },
  buffers: (random: Random) => ({
    x: random.tensor(M * K),
    weight: random.tensor(N * K, dtype, 1 / Math.sqrt(K)),
    bias: extras.bias ? random.tensor(N) : undefined,
    y: extras.accumulate ? random.tensor(M * N) : { dtype: 'fp32' as const, length: M * N },
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: matvecKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape(1, 1, 1, 'bf16'),
    shape(8, 1, 8, 'fp32', { bias: true }),
    shape(1, 17, 7, 'fp16', { bias: true }),
    shape(1, 6, 129, 'bf16', { accumulate: true }),
    shape(1, 3, 1, 'fp32', { accumulate: true }),
    shape(1, 33, 256, 'bf16'),
    shape(1, 70, 264, 'fp16', { bias: true }),
    shape(1, 35, 520, 'fp32', { accumulate: true }),
    shape(1, 1030, 16, 'bf16', { accumulate: true }),
    shape(1, 4099, 8, 'fp16', { bias: true }),
    shape(1, 8195, 8, 'bf16', { accumulate: true }),
    shape(1, 5, 4096, 'bf16'),
    shape(1, 67, 20, 'fp16', { bias: true, accumulate: true }),
    shape(2, 19, 264, 'bf16', { accumulate: true }),
    shape(3, 21, 41, 'fp32', { bias: true }),
    shape(3, 65, 12, 'bf16', { accumulate: true }),
    shape(4, 13, 33, 'fp16', { bias: true }),
    shape(5, 66, 72, 'fp16'),
    shape(6, 9, 9, 'bf16', { bias: true }),
    shape(7, 31, 65, 'bf16', { accumulate: true }),
    shape(8, 1030, 24, 'bf16', { bias: true, accumulate: true }),
    shape(8, 8201, 8, 'fp32', { bias: true }),
  ],
  tolerances: {
    // K <= 4096 products of outputs about 1, of which a lane adds at most 1024 in order in float32: the error's
    // deviation is at most 2^-24 sqrt(1024 / 6), 8e-7; relativeRms allows it twice, atol six times, since the worst of
    // thousands of elements must pass.
    y: { relativeRms: 1.6e-6, atol: 5e-6, rtol: 1e-6 },
  },
  bench: [
    shape(1, 1024, 256, 'bf16'),
    shape(1, 4096, 256, 'bf16'),
    shape(1, 6144, 4096, 'bf16'),
    shape(1, 4096, 4096, 'bf16', { accumulate: true }),
    shape(1, 21888, 4096, 'bf16'),
    shape(1, 4096, 10944, 'bf16', { accumulate: true }),
    shape(1, 50304, 4096, 'bf16'),
    shape(8, 21888, 4096, 'bf16'),
  ],
  cost: ({ M, N, K, accumulate }, dtypes) => ({
    flops: 2 * M * N * K,
    bytes: N * K * BYTES[(dtypes.weight ?? 'fp32') as FloatDtype] + 4 * (M * K + M * N * (accumulate ? 2 : 1)),
  }),
});
