import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { ACTIVATION_CODES, type ActivationName } from './functions.ts';
import { activationKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  rows: number,
  D: number,
  activation: ActivationName,
  { offset = 0, extra = 0, values }: { offset?: number; extra?: number; values?: readonly number[] } = {},
) => ({
  name: `${activation}, ${name}: ${rows} x ${D}`,
  params: { rows, D, xOffset: offset, xStride: D + extra, activation: ACTIVATION_CODES[activation] },
  buffers: (random: Random) => ({
    x: values
      ? { dtype: 'fp32' as const, data: Float32Array.from(values) }
      : random.tensor(offset + rows * (D + extra), 'fp32', 3),
    y: { dtype: 'fp32' as const, length: rows * D },
  }),
});

const extremes = [-1e30, -100, -88.5, -14, -13.001, -12.999, -1e-30, 0, 1e-30, 12.999, 13.001, 88.5, 1e30];

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: activationKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: (['silu', 'gelu'] as const).flatMap((activation) => [
    shape('one element', 1, 1, activation),
    shape('columns of a wider tensor', 5, 67, activation, { offset: 7, extra: 20 }),
    shape('extremes', 1, extremes.length, activation, { values: extremes }),
  ]),
  tolerances: { y: FLOAT32 },
  bench: [shape('stories', 32768, 512, 'silu'), shape('stories', 32768, 384, 'gelu'), shape('small', 16, 704, 'silu')],
  cost: ({ rows, D, activation }) => ({ flops: (activation ? 45 : 5) * rows * D, bytes: 8 * rows * D }),
});
