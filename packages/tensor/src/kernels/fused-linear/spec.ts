import { quantizedBits, quantizeRows, type WeightDtype } from '@xlstm/device';
import { defineSpec, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { fusedLinearKernel } from './index.ts';
import { type bindings, EPILOGUES, PROLOGUES, type params } from './signature.ts';

const BYTES = { fp32: 4, fp16: 2, bf16: 2 } as const;

interface Extras {
  norm?: 'rms' | number;
  epilogue?: keyof typeof EPILOGUES;
  bias?: true;
  cap?: number;
  E?: number;
  group?: number;
  /** Columns of y before and after those that are written. */
  margin?: number;
}

/** N outputs; weights are scaled by 1/sqrt(K), so that products are about 1. */
const shape = (M: number, N: number, K: number, dtype: WeightDtype, extras: Extras = {}) => {
  const { norm, epilogue = 'store', bias, cap = 0, E = 0, group = 32, margin = 0 } = extras;
  const swiglu = epilogue === 'swiglu';
  const quantized = dtype === 'q8' || dtype === 'q4';
  const rows = swiglu ? 2 * N : N;
  const heads = typeof norm === 'number' ? norm : 1;
  const before = norm === undefined ? 'x' : norm === 'rms' ? 'rms x' : `${heads} heads`;
  const yStride = N + E + 2 * margin;
  const biasOffset = 5;
  const extraBiasOffset = biasOffset + rows;
  const gateOffset = 8;
  const gateStride = K + 16;
  const notes = [bias && 'biased', cap && 'capped', E && `${E} extra`, quantized && `groups of ${group}`].filter(
    Boolean,
  );
  return {
    name: [`${M} x ${N} x ${K} ${dtype}: ${before}, ${epilogue}`, ...notes].join(', '),
    params: {
      M,
      N,
      K,
      prologue: norm === undefined ? PROLOGUES.none : norm === 'rms' ? PROLOGUES.rmsNorm : PROLOGUES.headNorm,
      epilogue: EPILOGUES[epilogue],
      bits: quantized ? quantizedBits(dtype) : 0,
      group: quantized ? group : 0,
      up: swiglu ? N : 0,
      yOffset: margin,
      yStride,
      heads,
      gateOffset,
      gateStride,
      biased: bias ? 1 : 0,
      biasOffset,
      upBiasOffset: biasOffset + N,
      E,
      extraOffset: margin + N,
      extraBiasOffset,
      eps: 1e-6,
      cap,
      extraCap: E ? 1.5 : 0,
    },
    ...(quantized ? { tolerances: { y: INTEGERS } } : {}),
    buffers: (random: Random) => {
      const values = random.tensor(rows * K, quantized ? 'fp32' : dtype, 1 / Math.sqrt(K));
      const codes = quantized ? quantizeRows(values.data as Float32Array, K, dtype, group) : undefined;
      return {
        x: random.tensor(M * K, 'fp32', norm === 'rms' ? 3 : 1),
        gate: typeof norm === 'number' ? random.tensor(gateOffset + M * gateStride, 'fp32', 2) : undefined,
        norm: norm !== undefined ? random.tensor(K, 'fp32', 0.5, 1) : undefined,
        biases: bias || E ? random.tensor(extraBiasOffset + E, 'fp32', 0.5, 1) : undefined,
        weight: codes ? { dtype: 'u32' as const, data: codes.codes } : values,
        scales: codes ? { dtype: 'fp16' as const, data: codes.scales } : undefined,
        extra: E ? random.tensor(E * K, 'fp32', 1 / Math.sqrt(K)) : undefined,
        // Margins must be left alone.
        y: random.tensor(M * yStride),
      };
    },
  };
};

// Codes meet x as integers of 16 bits where the GPU multiplies bytes.
const INTEGERS = { relativeRms: 5e-5, atol: 2e-4, rtol: 5e-5 };

const D = 4096;
const F = 10944;

const sevenB = (dtype: WeightDtype) => [
  shape(1, 12288, D, dtype, { norm: 'rms', E: 16 }),
  shape(1, D, D, dtype, { norm: 8, epilogue: 'add' }),
  shape(1, F, D, dtype, { norm: 'rms', epilogue: 'swiglu' }),
  shape(1, D, F, dtype, { epilogue: 'add' }),
  shape(1, 50304, D, dtype, { norm: 'rms', cap: 30 }),
];

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: fusedLinearKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape(1, 1, 1, 'bf16'),
    shape(1, 5, 8, 'fp32', { norm: 'rms' }),
    shape(1, 17, 7, 'fp16', { bias: true, margin: 3 }),
    shape(1, 9, 15, 'bf16', { norm: 3, epilogue: 'add', E: 2 }),
    shape(3, 9, 15, 'fp32', { norm: 'rms', epilogue: 'swiglu', bias: true }),
    shape(1, 70, 264, 'bf16', { norm: 'rms', E: 5, margin: 2 }),
    shape(1, 33, 256, 'fp16', { norm: 4, epilogue: 'add' }),
    shape(1, 37, 256, 'bf16', { norm: 'rms', epilogue: 'swiglu' }),
    shape(1, 35, 520, 'fp32', { norm: 2, epilogue: 'add', bias: true }),
    shape(1, 41, 1152, 'bf16', { norm: 1 }),
    shape(1, 67, 520, 'fp32', { norm: 'rms', cap: 3, bias: true }),
    shape(1, 5, 4096, 'bf16', { norm: 8, epilogue: 'add' }),
    shape(1, 19, 1056, 'fp16', { norm: 'rms', epilogue: 'swiglu', bias: true }),
    shape(1, 11, 8200, 'bf16', { epilogue: 'add' }),
    shape(1, 1030, 16, 'bf16', { epilogue: 'add', bias: true, E: 9 }),
    shape(1, 4101, 8, 'fp16', { norm: 'rms' }),
    shape(1, 8195, 8, 'bf16', { norm: 'rms', cap: 30 }),
    shape(1, 35, 64, 'q8', { norm: 'rms', E: 3 }),
    shape(1, 37, 480, 'q8', { norm: 5, epilogue: 'add' }),
    shape(1, 35, 544, 'q4', { norm: 'rms', epilogue: 'swiglu', bias: true }),
    shape(1, 18, 1024, 'q4', { norm: 4, epilogue: 'add', group: 128 }),
    shape(1, 3, 8192, 'q4', { epilogue: 'add' }),
    shape(1, 9, 1536, 'q8', { group: 64, cap: 5, norm: 'rms' }),
    // Too long to be staged, with all that a launch may have before and beside it.
    shape(1, 5, 8192, 'fp16', { norm: 'rms', epilogue: 'swiglu', E: 2, margin: 1 }),
    shape(2, 19, 264, 'bf16', { norm: 'rms', epilogue: 'add' }),
    shape(4, 13, 96, 'q8', { norm: 'rms', epilogue: 'swiglu', margin: 1 }),
    shape(5, 21, 160, 'q4', { epilogue: 'add', E: 6, norm: 'rms' }),
    shape(8, 31, 72, 'fp16', { norm: 'rms', epilogue: 'swiglu', bias: true }),
    shape(8, 35, 520, 'fp32', { norm: 'rms', E: 4 }),
    shape(8, 12, 48, 'bf16', { norm: 6 }),
  ],
  tolerances: {
    // Sums as in matvec.
    y: { relativeRms: 4e-6, atol: 1.2e-5, rtol: 3e-6 },
  },
  bench: [
    ...sevenB('bf16'),
    ...sevenB('q8'),
    ...sevenB('q4'),
    shape(8, F, D, 'bf16', { norm: 'rms', epilogue: 'swiglu' }),
  ],
  cost: ({ M, N, K, epilogue, bits, group, E }, dtypes) => {
    const rows = epilogue === EPILOGUES.swiglu ? 2 * N : N;
    const each = bits ? bits / 8 + 2 / group : BYTES[(dtypes.weight ?? 'fp32') as keyof typeof BYTES];
    return {
      flops: 2 * M * (rows + E) * K,
      bytes: rows * K * each + 4 * E * K + 4 * (M * K + M * (N + E) * (epilogue === EPILOGUES.add ? 2 : 1)),
    };
  },
});
