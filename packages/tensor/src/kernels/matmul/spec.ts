import type { FloatDtype } from '@xlstm/device';
import { defineSpec, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { matmulKernel } from './index.ts';
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
  kernel: matmulKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  // Each pair of weight dtype and bias is a pipeline, which a software adapter compiles for seconds: bias with fp16 only.
  cases: [
    shape(1, 1, 1, 'bf16'),
    shape(9, 1, 31, 'fp16', { bias: true }),
    shape(9, 130, 33, 'fp16', { bias: true, accumulate: true }),
    shape(16, 64, 16, 'fp32'),
    shape(65, 129, 17, 'fp32'),
    shape(11, 67, 20, 'fp32', { accumulate: true }),
    shape(65, 5, 257, 'bf16'),
    shape(65, 129, 28, 'bf16', { accumulate: true }),
    shape(65, 70, 48, 'fp16', { bias: true, accumulate: true }),
    shape(130, 3, 15, 'fp16', { bias: true }),
    shape(3, 260, 1, 'fp32', { accumulate: true }),
    shape(10, 20, 1001, 'bf16'),
  ],
  tolerances: {
    // K <= 1001 products of outputs about 1, added in order in float32: the error's deviation is 2^-24 sqrt(K / 6),
    // 8e-7; relativeRms allows it twice, atol six times, since the worst of thousands of elements must pass.
    y: { relativeRms: 1.6e-6, atol: 5e-6, rtol: 1e-6 },
  },
  bench: [
    shape(64, 1024, 256, 'bf16'),
    shape(512, 4096, 4096, 'bf16'),
    shape(512, 21888, 4096, 'bf16'),
    shape(512, 4096, 10944, 'bf16'),
  ],
  cost: ({ M, N, K, accumulate }, dtypes) => ({
    flops: 2 * M * N * K,
    bytes: N * K * BYTES[(dtypes.weight ?? 'fp32') as FloatDtype] + 4 * (M * K + M * N * (accumulate ? 2 : 1)),
  }),
});
