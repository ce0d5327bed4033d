import { type Dtype, quantizedBits, quantizeRows, type WeightDtype } from '@xlstm/device';
import { defineSpec, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { matmulKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const BYTES = { fp32: 4, fp16: 2, bf16: 2 } as const;

/** What a launch of the whole matrix has, or of some of its rows into some columns of a wider y. */
interface Extras {
  bias?: true;
  accumulate?: true;
  group?: number;
  /** Rows before and after those that are used. */
  part?: readonly [before: number, after: number];
}

/** What comes before and after the columns that are written. */
const MARGIN = 3;

/** Weights are scaled by 1/sqrt(K), so that products are about 1. */
const shape = (M: number, N: number, K: number, dtype: WeightDtype, extras: Extras = {}) => {
  const { bias, accumulate, group = 32, part } = extras;
  const [before, after] = part ?? [0, 0];
  const column = part ? MARGIN : 0;
  const stride = N + 2 * column;
  const quantized = dtype === 'q8' || dtype === 'q4';
  const notes = [bias && 'with bias', accumulate && 'added', part && 'a part', quantized && `in groups of ${group}`];
  return {
    name: [`${M} x ${N} x ${K} ${dtype}`, ...notes.filter(Boolean)].join(', '),
    params: {
      M,
      N,
      K,
      accumulate: accumulate ? 1 : 0,
      row: before,
      column,
      stride,
      bits: quantized ? quantizedBits(dtype) : 0,
      group: quantized ? group : 0,
    },
    buffers: (random: Random) => {
      const x = random.tensor(M * K);
      const length = (before + N + after) * K;
      const values = random.tensor(length, quantized ? 'fp32' : dtype, 1 / Math.sqrt(K));
      const rows = quantized ? quantizeRows(values.data as Float32Array, K, dtype, group) : undefined;
      return {
        x,
        weight: rows ? { dtype: 'u32' as const, data: rows.codes } : values,
        bias: bias ? random.tensor(stride) : undefined,
        y: accumulate || part ? random.tensor(M * stride) : { dtype: 'fp32' as const, length: M * N },
        scales: rows ? { dtype: 'fp16' as const, data: rows.scales } : undefined,
      };
    },
  };
};

/** Bytes of an element; of a quantised one with its share of the scale. */
function weightBytes(dtype: Dtype | undefined, bits: number, group: number): number {
  return dtype === 'u32' ? bits / 8 + 2 / group : BYTES[(dtype ?? 'fp32') as keyof typeof BYTES];
}

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
    shape(9, 21, 24, 'fp32', { part: [2, 3] }),
    shape(66, 70, 64, 'q8', { accumulate: true }),
    shape(9, 33, 160, 'q4', { part: [3, 1] }),
    shape(17, 130, 128, 'q4', { group: 64 }),
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
    shape(512, 4096, 4096, 'q8'),
    shape(512, 4096, 4096, 'q4'),
  ],
  cost: ({ M, N, K, accumulate, bits, group }, dtypes) => ({
    flops: 2 * M * N * K,
    bytes: N * K * weightBytes(dtypes.weight, bits, group) + 4 * (M * K + M * N * (accumulate ? 2 : 1)),
  }),
});
