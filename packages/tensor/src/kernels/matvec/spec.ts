import { type Dtype, quantizedBits, quantizeRows, type WeightDtype } from '@xlstm/device';
import { defineSpec, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { matvecKernel } from './index.ts';
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
    shape(1, 9, 41, 'bf16', { part: [2, 1] }),
    shape(2, 18, 40, 'fp32', { part: [4, 3], bias: true, accumulate: true }),
    shape(1, 1, 32, 'q8'),
    shape(1, 35, 64, 'q4', { bias: true }),
    shape(1, 37, 480, 'q8', { accumulate: true }),
    shape(1, 1030, 544, 'q4', { accumulate: true }),
    shape(1, 6, 4096, 'q8', { group: 128 }),
    shape(1, 5, 4096, 'q4', { group: 64, part: [3, 2], bias: true }),
    shape(3, 19, 96, 'q8', { part: [1, 0], accumulate: true }),
    shape(8, 21, 160, 'q4'),
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
    shape(1, 21888, 4096, 'q8'),
    shape(1, 21888, 4096, 'q4'),
    shape(1, 4096, 10944, 'q8', { accumulate: true }),
    shape(1, 4096, 10944, 'q4', { accumulate: true }),
    shape(1, 50304, 4096, 'q4'),
    shape(8, 21888, 4096, 'q4'),
  ],
  cost: ({ M, N, K, accumulate, bits, group }, dtypes) => ({
    flops: 2 * M * N * K,
    bytes: N * K * weightBytes(dtypes.weight, bits, group) + 4 * (M * K + M * N * (accumulate ? 2 : 1)),
  }),
});
