import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { columnSumsKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Extras {
  splits?: number;
  xOffset?: number;
  xGap?: number;
  yOffset?: number;
  accumulate?: boolean;
}

/** Elements are scaled by 1/sqrt(rows), so that sums are about 1. */
const shape = (rows: number, D: number, extras: Extras = {}) => {
  const { splits = 1, xOffset = 0, xGap = 0, yOffset = 0, accumulate = false } = extras;
  const rowsPerSplit = Math.ceil(rows / splits);
  const outputs = yOffset + Math.ceil(rows / rowsPerSplit) * D;
  return {
    name: `${rows} x ${D}${splits > 1 ? ` in ${splits} parts` : ''}${xGap > 0 ? ', a view' : ''}${accumulate ? ', added' : ''}`,
    params: { rows, D, xOffset, xStride: D + xGap, rowsPerSplit, yOffset, accumulate: accumulate ? 1 : 0 },
    buffers: (random: Random) => ({
      x: random.tensor(xOffset + rows * (D + xGap), 'fp32', 1 / Math.sqrt(rows)),
      y: accumulate || yOffset > 0 ? random.tensor(outputs) : { dtype: 'fp32' as const, length: outputs },
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: columnSumsKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape(1, 1),
    shape(7, 33),
    shape(1001, 5),
    shape(50, 70, { splits: 3 }),
    shape(29, 65, { splits: 4, accumulate: true }),
    shape(17, 31, { xOffset: 3, xGap: 9, yOffset: 5, accumulate: true }),
  ],
  tolerances: { y: FLOAT32 },
  bench: [shape(32768, 1024, { splits: 16 }), shape(48, 65536), shape(512, 256)],
  cost: ({ rows, D, rowsPerSplit }) => ({ flops: rows * D, bytes: 4 * D * (rows + Math.ceil(rows / rowsPerSplit)) }),
});
