import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { ACTIVATION_CODES, type ActivationName } from '../activation/functions.ts';
import { activationBackwardKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Options {
  offset?: number;
  extra?: number;
  accumulate?: boolean;
  values?: readonly number[];
}

const shape = (
  name: string,
  rows: number,
  D: number,
  activation: ActivationName,
  { offset = 0, extra = 0, accumulate = false, values }: Options = {},
) => ({
  name: `${activation}, ${name}: ${rows} x ${D}${accumulate ? ', added' : ''}`,
  params: {
    rows,
    D,
    xOffset: offset,
    xStride: D + extra,
    dxOffset: 2 * offset,
    dxStride: D + 2 * extra,
    accumulate: accumulate ? 1 : 0,
    activation: ACTIVATION_CODES[activation],
  },
  buffers: (random: Random) => ({
    x: values
      ? { dtype: 'fp32' as const, data: Float32Array.from(values) }
      : random.tensor(offset + rows * (D + extra), 'fp32', 3),
    dy: random.tensor(rows * D),
    // What lies between the columns must stay as it is.
    dx:
      extra > 0 || accumulate
        ? random.tensor(2 * offset + rows * (D + 2 * extra))
        : { dtype: 'fp32' as const, length: rows * D },
  }),
});

const extremes = [-1e30, -100, -88.5, -14, -13.001, -12.999, -1e-30, 0, 1e-30, 12.999, 13.001, 88.5, 1e30];

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: activationBackwardKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: (['silu', 'gelu'] as const).flatMap((activation) => [
    shape('several workgroups', 2, 150, activation),
    shape('columns of a wider tensor', 5, 67, activation, { offset: 7, extra: 20 }),
    shape('columns', 3, 5, activation, { offset: 1, extra: 2, accumulate: true }),
    shape('extremes', 1, extremes.length, activation, { values: extremes }),
  ]),
  tolerances: { dx: FLOAT32 },
  bench: [shape('stories', 32768, 512, 'silu'), shape('stories', 32768, 384, 'gelu'), shape('small', 16, 704, 'silu')],
  cost: ({ rows, D, activation }) => ({ flops: (activation ? 50 : 8) * rows * D, bytes: 12 * rows * D }),
});
