import { defineSpec, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { roundToHalfKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Extras {
  scale?: number;
  max?: number;
  xOffset?: number;
  xGap?: number;
  extremes?: true;
}

const bitsOf = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0]!;

const shape = (rows: number, D: number, { scale = 1, max, xOffset = 0, xGap = 0, extremes }: Extras = {}) => {
  const yStride = Math.ceil(D / 8) * 8;
  return {
    name: `${rows} x ${D} about ${scale}${max ? `, largest ${max}` : ''}${xOffset + xGap > 0 ? ', of a wider tensor' : ''}${extremes ? ', extremes' : ''}`,
    params: { rows, D, xOffset, xStride: D + xGap, yStride },
    buffers: (random: Random) => {
      const x = random.normals(xOffset + rows * (D + xGap), scale);
      if (extremes) x.set([65519, 65520, -1e9, 3e38, 1e-7, -3e-8, 1e-30, 0]);
      return {
        x: { dtype: 'fp32' as const, data: x },
        max: max ? { dtype: 'u32' as const, data: Uint32Array.of(bitsOf(max)) } : undefined,
        y: { dtype: 'fp16' as const, length: rows * yStride },
      };
    },
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: roundToHalfKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape(1, 1),
    shape(3, 20),
    shape(7, 129, { xOffset: 3, xGap: 4 }),
    shape(1, 8, { extremes: true }),
    shape(5, 40, { scale: 1e-12, max: 5e-12 }),
    shape(5, 40, { scale: 1e30, max: 5e30 }),
    shape(300, 24, { scale: 0.1 }),
  ],
  tolerances: {
    // Compared as bits: an adapter may round to the neighbour, 1 in 31,000 at most of the bits' value.
    y: { relativeRms: 1e-4, atol: 1, rtol: 1e-4 },
  },
  bench: [shape(2048, 4096)],
  cost: ({ rows, D, yStride }) => ({ flops: 0, bytes: rows * (4 * D + 2 * yStride) }),
});
