import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { blockDiagonalLinearKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Options {
  bias?: boolean;
  transposed?: number;
  accumulate?: number;
  offset?: number;
  extra?: number;
}

const shape = (name: string, rows: number, NB: number, I: number, O: number, options: Options = {}) => {
  const { bias = false, transposed = 0, accumulate = 0, offset = 0, extra = 0 } = options;
  return {
    name: `${name}: ${rows} x ${NB} blocks of ${I} to ${O}${transposed ? ', transposed' : ''}${accumulate ? ', added' : ''}`,
    params: {
      rows,
      NB,
      I,
      O,
      xOffset: offset,
      xStride: NB * I + extra,
      yOffset: 2 * offset,
      yStride: NB * O + 2 * extra,
      transposed,
      accumulate,
    },
    buffers: (random: Random) => ({
      x: random.tensor(offset + rows * (NB * I + extra)),
      weight: random.tensor(NB * I * O, 'fp32', 0.5),
      bias: bias ? random.tensor(NB * O) : undefined,
      // What lies between the columns must stay as it is.
      y:
        accumulate || extra
          ? random.tensor(2 * offset + rows * (NB * O + 2 * extra))
          : { dtype: 'fp32' as const, length: rows * NB * O },
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: blockDiagonalLinearKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one row', 1, 7, 4, 4, { bias: true }),
    shape('columns', 6, 9, 4, 4, { bias: true, offset: 3, extra: 11 }),
    shape('columns', 6, 9, 4, 4, { transposed: 1, accumulate: 1, offset: 3, extra: 11 }),
    shape('heads', 5, 3, 33, 33),
    shape('heads', 5, 3, 33, 33, { transposed: 1 }),
    shape('not square', 4, 2, 5, 7, { accumulate: 1 }),
    shape('not square', 4, 2, 5, 7, { transposed: 1, bias: true }),
    shape('blocks of one', 3, 5, 1, 1, { bias: true }),
    shape('several workgroups', 17, 66, 4, 4),
  ],
  tolerances: { y: FLOAT32 },
  bench: [
    shape('stories, q of an mLSTM', 32768, 128, 4, 4),
    shape('stories, q of an mLSTM', 32768, 128, 4, 4, { transposed: 1 }),
    shape('stories, a gate of an sLSTM', 32768, 4, 64, 64),
    shape('stories, a gate of an sLSTM', 32768, 4, 64, 64, { transposed: 1 }),
    shape('decode', 1, 128, 4, 4),
  ],
  cost: ({ rows, NB, I, O }) => ({ flops: 2 * rows * NB * I * O, bytes: 4 * NB * (rows * (I + O) + I * O) }),
});
