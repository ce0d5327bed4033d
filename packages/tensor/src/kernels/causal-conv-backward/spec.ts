import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { causalConvBackwardKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Options {
  K?: number;
  next?: boolean;
  dx?: boolean;
  dstate?: boolean;
  accumulate?: boolean;
  offset?: number;
  extra?: number;
}

const shape = (name: string, B: number, S: number, D: number, options: Options = {}) => {
  const { K = 4, next = false, dx = true, dstate = false, accumulate = false, offset = 0, extra = 0 } = options;
  return {
    name: `${name}: ${B} x ${S} x ${D}, ${K} taps${accumulate ? ', added' : ''}`,
    params: {
      B,
      S,
      D,
      K,
      dxOffset: offset,
      dxStride: D + extra,
      accumulateX: accumulate ? 1 : 0,
      accumulateState: accumulate ? 1 : 0,
    },
    buffers: (random: Random) => ({
      weight: random.tensor(D * K, 'fp32', 0.5),
      dy: random.tensor(B * S * D),
      dnextState: next ? random.tensor(B * (K - 1) * D) : undefined,
      // What lies between the columns must stay as it is.
      dx: dx ? random.tensor(offset + B * S * (D + extra)) : undefined,
      dstate: dstate ? random.tensor(B * (K - 1) * D) : undefined,
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: causalConvBackwardKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one step', 2, 1, 5, { next: true, dstate: true }),
    shape('shorter than the kernel', 2, 2, 7, { next: true, dstate: true, accumulate: true }),
    shape('several pieces of columns', 2, 67, 19, { next: true, dstate: true, offset: 5, extra: 19, accumulate: true }),
    shape('no states', 3, 33, 66),
    shape('dstate alone', 1, 9, 3, { dx: false, dstate: true }),
    shape('eight taps', 2, 31, 9, { K: 8, next: true, dstate: true }),
    shape('one tap', 1, 5, 9, { K: 1 }),
  ],
  tolerances: { dx: FLOAT32, dstate: FLOAT32 },
  bench: [shape('stories', 64, 512, 512, { extra: 512 })],
  cost: ({ B, S, D, K }) => ({ flops: 2 * K * B * S * D, bytes: 8 * B * S * D }),
});
