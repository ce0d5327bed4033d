import { defineSpec, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { matmulMixedKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

type WeightDtype = 'fp16' | 'bf16' | 'q8' | 'q4';

const BITS = { fp16: 16, bf16: 16, q8: 8, q4: 4 } as const;

interface Extras {
  dtype?: WeightDtype;
  form?: 'NT' | 'NN' | 'TN';
  accumulate?: true;
  bias?: true;
  splits?: number;
  group?: number;
  yOffset?: number;
  yGap?: number;
  bOffset?: number;
  biasOffset?: number;
  aMax?: number;
  bMax?: number;
}

const word = new Float32Array(1);
/** The bits of a float32. */
const bitsOf = (value: number): number => {
  word[0] = value;
  return new Uint32Array(word.buffer)[0]!;
};

/** b is scaled by 1/sqrt(K), so that products are about 1. */
const shape = (M: number, N: number, K: number, extras: Extras = {}) => {
  const { dtype = 'bf16', form = 'NT', splits = 1, group = 32 } = extras;
  const { yOffset = 0, yGap = 0, bOffset = 0, biasOffset = 0 } = extras;
  const [aAlongK, bAlongK] = [form === 'TN' ? 0 : 1, form === 'NT' ? 1 : 0];
  const kPerSplit = Math.ceil(K / splits / 16) * 16;
  const quantized = dtype === 'q8' || dtype === 'q4';
  const outputs = yOffset + Math.ceil(K / kPerSplit) * M * (N + yGap);
  const notes = [
    `${M} x ${N} x ${K} ${dtype} ${form}`,
    quantized ? `groups of ${group}` : '',
    extras.accumulate ? 'added' : '',
    extras.bias ? 'with bias' : '',
    splits > 1 ? `in ${splits} parts` : '',
    extras.aMax || extras.bMax ? 'scaled' : '',
    yOffset + yGap + bOffset + biasOffset > 0 ? 'of wider tensors' : '',
  ];
  return {
    name: notes.filter(Boolean).join(', '),
    params: {
      M,
      N,
      K,
      kPerSplit,
      aAlongK,
      aStride: aAlongK ? K : M,
      bAlongK,
      bOffset,
      bStride: bAlongK ? K : N,
      biasOffset,
      yOffset,
      yStride: N + yGap,
      accumulate: extras.accumulate ? 1 : 0,
      group: quantized ? group : 0,
      bits: quantized ? BITS[dtype] : 0,
    },
    buffers: (random: Random) => ({
      a: random.tensor(M * K, 'fp16'),
      b: quantized
        ? {
            dtype: 'u32' as const,
            data: Uint32Array.from({ length: ((bOffset + N * K) * BITS[dtype]) / 32 }, () => random.integer(2 ** 32)),
          }
        : random.tensor(bOffset + N * K, dtype, 1 / Math.sqrt(K)),
      scales: quantized
        ? random.tensor(
            (bOffset + N * K) / group,
            'fp16',
            0.1 / Math.sqrt(K),
            1 / Math.sqrt(K) / (dtype === 'q8' ? 64 : 4),
          )
        : undefined,
      aMax: extras.aMax ? { dtype: 'u32' as const, data: Uint32Array.of(bitsOf(extras.aMax)) } : undefined,
      bMax: extras.bMax ? { dtype: 'u32' as const, data: Uint32Array.of(bitsOf(extras.bMax)) } : undefined,
      bias: extras.bias ? random.tensor(biasOffset + N) : undefined,
      y: extras.accumulate || yOffset + yGap > 0 ? random.tensor(outputs) : { dtype: 'fp32' as const, length: outputs },
    }),
  };
};

/** The products of the 7B architecture. */
const sevenB = (M: number, dtype: WeightDtype) => [
  shape(M, 12288, 4096, { dtype }),
  shape(M, 4096, 4096, { dtype }),
  shape(M, 21888, 4096, { dtype }),
  shape(M, 4096, 10944, { dtype }),
];

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: matmulMixedKernel,
  backends: {
    cpu: true,
    webgpu: true,
    cuda: 'the CUDA device is a later issue',
  },
  someAdapters: 'it is made of subgroup matrices; matmul is for all others',
  cases: [
    shape(2, 128, 8),
    shape(32, 40, 512, { dtype: 'fp16' }),
    shape(19, 33, 264, { accumulate: true, bias: true }),
    shape(49, 70, 136, { accumulate: true }),
    shape(64, 64, 256, { yOffset: 3, yGap: 5 }),
    shape(128, 128, 64),
    shape(256, 128, 96, { accumulate: true, aMax: 3e-9, bMax: 5e4 }),
    shape(150, 201, 72, { dtype: 'fp16', bias: true }),
    shape(131, 129, 200, { accumulate: true, yOffset: 8, yGap: 4, bMax: 0.25 }),
    shape(20, 36, 288, { dtype: 'q8' }),
    shape(130, 40, 256, { dtype: 'q8', group: 128, accumulate: true, yOffset: 40, yGap: 40 }),
    shape(20, 36, 288, { dtype: 'q4' }),
    shape(19, 40, 288, { dtype: 'q4', bOffset: 5 * 288, bias: true, biasOffset: 3, yOffset: 3, yGap: 7 }),
    shape(33, 40, 64, { dtype: 'q8', bOffset: 3 * 64, accumulate: true, yOffset: 64, yGap: 24 }),
    shape(130, 260, 128, { dtype: 'q4', group: 64 }),
    shape(130, 72, 70, { dtype: 'bf16', form: 'NN', bOffset: 16, aMax: 1e-20 }),
    shape(64, 136, 40, { dtype: 'fp16', form: 'NN', accumulate: true }),
    shape(136, 72, 77, { dtype: 'fp16', form: 'TN', accumulate: true, aMax: 0.02 }),
    shape(72, 264, 301, { dtype: 'fp16', form: 'TN', splits: 3 }),
  ],
  tolerances: {
    y: {
      relativeRms: 2e-5,
      atol: 1e-4,
      rtol: 2e-5,
      reason: 'matrix units add products of a step with a few bits less than float32, in an order of their own',
    },
  },
  bench: [
    ...sevenB(2048, 'bf16'),
    ...sevenB(32, 'bf16'),
    shape(32, 50304, 4096, { dtype: 'bf16' }),
    ...sevenB(32, 'q8'),
    ...sevenB(32, 'q4'),
    shape(2048, 4096, 4096, { dtype: 'q4' }),
    shape(4096, 4096, 4096, { dtype: 'fp16', form: 'NN' }),
    shape(4096, 4096, 4096, { dtype: 'fp16', form: 'TN' }),
  ],
  cost: ({ M, N, K, accumulate, bits }) => ({
    flops: 2 * M * N * K,
    bytes: (N * K * (bits || 16)) / 8 + 2 * M * K + 4 * M * N * (accumulate ? 2 : 1),
  }),
});
