import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { causalConvWeightBackwardKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Options {
  K?: number;
  state?: boolean;
  chunk?: number;
  offset?: number;
  extra?: number;
}

const shape = (name: string, B: number, S: number, D: number, options: Options = {}) => {
  const { K = 4, state = false, chunk = 16, offset = 0, extra = 0 } = options;
  return {
    name: `${name}: ${B} x ${S} x ${D} by ${chunk}, ${K} taps`,
    params: { B, S, D, K, chunk, xOffset: offset, xStride: D + extra },
    buffers: (random: Random) => ({
      x: random.tensor(offset + B * S * (D + extra)),
      state: state ? random.tensor(B * (K - 1) * D) : undefined,
      dy: random.tensor(B * S * D),
      partials: { dtype: 'fp32' as const, length: Math.ceil((B * S) / chunk) * D * (K + 1) },
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: causalConvWeightBackwardKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one step', 1, 1, 5, { state: true }),
    shape('parts across sequences', 3, 21, 19, { state: true, offset: 5, extra: 19 }),
    shape('sequences shorter than the kernel', 9, 2, 66, { state: true, chunk: 5 }),
    shape('eight taps from nothing', 2, 13, 9, { K: 8, chunk: 3 }),
    shape('one tap', 1, 5, 9, { K: 1 }),
  ],
  tolerances: { partials: FLOAT32 },
  bench: [shape('stories', 64, 512, 512, { chunk: 128, extra: 512 })],
  cost: ({ B, S, D, K }) => ({ flops: (2 * K + 1) * B * S * D, bytes: 8 * B * S * D }),
});
