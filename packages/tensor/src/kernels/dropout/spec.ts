import { defineSpec, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { dropoutKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Options {
  p?: number;
  accumulate?: number;
  offset?: number;
  extra?: number;
}

const shape = (name: string, rows: number, D: number, options: Options = {}) => {
  const { p = 0.5, accumulate = 0, offset = 0, extra = 0 } = options;
  return {
    name: `${name}: ${rows} x ${D}, p ${p}${accumulate ? ', added' : ''}`,
    params: {
      rows,
      D,
      xOffset: offset,
      xStride: D + extra,
      yOffset: 2 * offset,
      yStride: D + 2 * extra,
      stream: 7,
      threshold: Math.round(p * 2 ** 32),
      scale: Math.fround(1 / (1 - p)),
      accumulate,
    },
    buffers: (random: Random) => ({
      x: random.tensor(offset + rows * (D + extra)),
      seed: { dtype: 'u32' as const, data: Uint32Array.of(0xdeadbeef, 3) },
      // What lies between the columns must stay as it is.
      y:
        accumulate || extra
          ? random.tensor(2 * offset + rows * (D + 2 * extra))
          : { dtype: 'fp32' as const, length: rows * D },
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: dropoutKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one element', 1, 1),
    shape('odd', 5, 67, { p: 0.1 }),
    shape('columns', 5, 13, { offset: 3, extra: 8 }),
    shape('columns', 5, 13, { offset: 3, extra: 8, accumulate: 1, p: 0.9 }),
    shape('several workgroups', 3, 200, { p: 0.25 }),
  ],
  // One product, rounded once (and one sum where it is added): a wrong bit of the mask would show as a whole element.
  tolerances: { y: { relativeRms: 1e-7, atol: 1e-7, rtol: 2e-7 } },
  bench: [shape('stories', 32768, 256, { p: 0.1 }), shape('small', 16, 128, { p: 0.1 })],
  cost: ({ rows, D }) => ({ flops: rows * D, bytes: 8 * rows * D }),
});
