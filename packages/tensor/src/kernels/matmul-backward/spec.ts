import type { FloatDtype } from '@xlstm/device';
import { defineSpec, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { matmulBackwardKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const BYTES = { fp32: 4, fp16: 2, bf16: 2 } as const;

interface Extras {
  dtype?: FloatDtype;
  transposed?: boolean;
  accumulate?: boolean;
  splits?: number;
  /** Elements before and between the rows of a. */
  aOffset?: number;
  aGap?: number;
  bOffset?: number;
  yOffset?: number;
}

/** b is scaled by 1/sqrt(inner), so that products are about 1. */
const shape = (R: number, C: number, inner: number, extras: Extras = {}) => {
  const { dtype = 'fp32', transposed = false, accumulate = false, splits = 1 } = extras;
  const { aOffset = 0, aGap = 0, bOffset = 0, yOffset = 0 } = extras;
  const innerPerSplit = Math.ceil(inner / splits);
  const [rows, columns] = transposed ? [inner, R] : [R, inner];
  const outputs = yOffset + Math.ceil(inner / innerPerSplit) * R * C;
  const notes = [
    `${R} x ${C} of ${inner} ${dtype}`,
    transposed ? 'transposed' : '',
    accumulate ? 'added' : '',
    splits > 1 ? `in ${splits} parts` : '',
    aGap + aOffset + bOffset + yOffset > 0 ? 'of wider tensors' : '',
  ];
  return {
    name: notes.filter(Boolean).join(', '),
    params: {
      R,
      C,
      inner,
      innerPerSplit,
      transposed: transposed ? 1 : 0,
      aOffset,
      aStride: columns + aGap,
      bOffset,
      yOffset,
      accumulate: accumulate ? 1 : 0,
    },
    buffers: (random: Random) => ({
      a: random.tensor(aOffset + rows * (columns + aGap)),
      b: random.tensor(bOffset + inner * C, dtype, 1 / Math.sqrt(inner)),
      y: accumulate || yOffset > 0 ? random.tensor(outputs) : { dtype: 'fp32' as const, length: outputs },
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: matmulBackwardKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  // Each pair of dtype and transposition is a pipeline, which a software adapter compiles for a second: 16-bit not transposed only.
  cases: [
    shape(1, 1, 1),
    shape(65, 129, 17),
    shape(9, 31, 130, { aOffset: 5, aGap: 7, bOffset: 3, yOffset: 11, accumulate: true }),
    shape(66, 36, 19, { dtype: 'bf16', bOffset: 4 }),
    shape(5, 13, 70, { dtype: 'bf16', bOffset: 1, accumulate: true }),
    shape(7, 132, 21, { dtype: 'fp16' }),
    shape(1, 1, 1, { transposed: true }),
    shape(65, 129, 33, { transposed: true }),
    shape(70, 12, 50, { transposed: true, aOffset: 4, aGap: 9, accumulate: true }),
    shape(13, 21, 101, { transposed: true, splits: 3 }),
    shape(3, 5, 1001, { transposed: true, bOffset: 10, yOffset: 2 }),
    shape(11, 8, 64, { splits: 4, accumulate: true }),
  ],
  tolerances: {
    // As matmul: up to 1001 products of outputs about 1, added in order in float32.
    y: { relativeRms: 1.6e-6, atol: 5e-6, rtol: 1e-6 },
  },
  bench: [
    shape(64, 256, 128),
    shape(64, 256, 128, { transposed: true }),
    shape(32768, 256, 1408, { dtype: 'fp32' }),
    shape(4096, 4096, 4096, { dtype: 'bf16' }),
    shape(1408, 256, 32768, { transposed: true, splits: 9 }),
    shape(256, 256, 32768, { transposed: true, splits: 48 }),
  ],
  cost: ({ R, C, inner, innerPerSplit, accumulate }, { b }) => ({
    flops: 2 * R * C * inner,
    bytes:
      4 * R * inner +
      BYTES[(b ?? 'fp32') as FloatDtype] * inner * C +
      4 * R * C * Math.ceil(inner / innerPerSplit) * (accumulate ? 2 : 1),
  }),
});
