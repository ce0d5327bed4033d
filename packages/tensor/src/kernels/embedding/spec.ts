import { quantizedBits, quantizeRows, type WeightDtype } from '@xlstm/device';
import { defineSpec, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { embeddingKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  rows: number,
  V: number,
  D: number,
  dtype: WeightDtype,
  { firstRow = 0, total = V, group = 32 }: { firstRow?: number; total?: number; group?: number } = {},
) => {
  const quantized = dtype === 'q8' || dtype === 'q4';
  return {
    name: `${name}: ${rows} of ${V} x ${D} ${dtype}`,
    params: {
      rows,
      V,
      D,
      firstRow,
      total,
      bits: quantized ? quantizedBits(dtype) : 0,
      group: quantized ? group : 0,
    },
    buffers: (random: Random) => {
      // The first and the last row are always among them.
      const ids = Int32Array.from({ length: rows }, (_, row) => [total - 1, 0][row] ?? random.integer(total));
      const values = random.tensor(V * D, quantized ? 'fp32' : dtype);
      const codes = quantized ? quantizeRows(values.data as Float32Array, D, dtype, group) : undefined;
      return {
        ids: { dtype: 'i32' as const, data: ids },
        weight: codes ? { dtype: 'u32' as const, data: codes.codes } : values,
        // Where a part leaves rows alone, they keep what is there.
        y: total > V ? random.tensor(rows * D) : { dtype: 'fp32' as const, length: rows * D },
        scales: codes ? { dtype: 'fp16' as const, data: codes.scales } : undefined,
      };
    },
  };
};

const BYTES = { fp32: 4, fp16: 2, bf16: 2 } as const;

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: embeddingKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one id', 1, 11, 64, 'fp32'),
    shape('odd', 7, 13, 37, 'fp32'),
    shape('odd', 7, 13, 37, 'bf16'),
    shape('odd', 7, 13, 37, 'fp16'),
    shape('wider than a workgroup', 3, 5, 700, 'bf16'),
    shape('first part', 9, 6, 33, 'bf16', { total: 13 }),
    shape('last part', 9, 7, 33, 'fp32', { firstRow: 6, total: 13 }),
    shape('quantised', 7, 13, 96, 'q8'),
    shape('quantised', 7, 13, 128, 'q4', { group: 64 }),
    shape('middle part', 11, 5, 64, 'q8', { firstRow: 4, total: 12 }),
  ],
  // Widening is exact, and so is a code of 8 bits times a scale of 11; a bound must be above zero to be a share of.
  tolerances: { y: { relativeRms: 1e-12, atol: 1e-12, rtol: 0 } },
  bench: [
    shape('decode 7B', 1, 50304, 4096, 'bf16'),
    shape('prefill 7B', 512, 50304, 4096, 'bf16'),
    shape('small', 16, 512, 256, 'fp32'),
    shape('decode 7B', 1, 50304, 4096, 'q8'),
  ],
  cost: ({ rows, D, bits, group }, { weight }) => ({
    flops: 0,
    bytes: rows * D * (4 + (weight === 'u32' ? bits / 8 + 2 / group : BYTES[weight as keyof typeof BYTES])),
  }),
});
