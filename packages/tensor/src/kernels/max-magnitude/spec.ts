import { defineSpec, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { maxMagnitudeKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (rows: number, D: number, start = 0, xOffset = 0, xGap = 0) => ({
  name: `${rows} x ${D}${start ? ', a larger one there' : ''}${xOffset + xGap > 0 ? ', of a wider tensor' : ''}`,
  params: { rows, D, xOffset, xStride: D + xGap },
  buffers: (random: Random) => ({
    x: random.tensor(xOffset + rows * (D + xGap)),
    max: { dtype: 'u32' as const, data: Uint32Array.of(start) },
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: maxMagnitudeKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [shape(1, 1), shape(1, 4097), shape(9, 1300), shape(4, 33, 0, 5, 9), shape(3, 40, 0x7f000000)],
  // Bits, and the same ones.
  tolerances: { max: { relativeRms: 1e-12, atol: 0.5, rtol: 0 } },
  bench: [shape(2048, 4096)],
  cost: ({ rows, D }) => ({ flops: 0, bytes: 4 * rows * D }),
});
