import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { causalConvKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Options {
  K?: number;
  bias?: boolean;
  state?: boolean;
  /** Whether a state is left, and whether it is also the one before. */
  next?: 'apart' | 'in place';
  offset?: number;
  extra?: number;
}

const shape = (name: string, B: number, S: number, D: number, options: Options = {}) => {
  const { K = 4, bias = true, state = false, next, offset = 0, extra = 0 } = options;
  return {
    name: `${name}: ${B} x ${S} x ${D}, ${K} taps${state ? ', from a state' : ''}`,
    params: { B, S, D, K, xOffset: offset, xStride: D + extra, inPlace: next === 'in place' ? 1 : 0 },
    buffers: (random: Random) => ({
      x: random.tensor(offset + B * S * (D + extra)),
      weight: random.tensor(D * K, 'fp32', 0.5),
      bias: bias ? random.tensor(D) : undefined,
      state: state ? random.tensor(B * (K - 1) * D) : undefined,
      y: { dtype: 'fp32' as const, length: B * S * D },
      nextState: next ? random.tensor(B * (K - 1) * D) : undefined,
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: causalConvKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one step', 2, 1, 5, { state: true, next: 'apart' }),
    shape('one step in place', 2, 1, 70, { next: 'in place' }),
    shape('shorter than the kernel', 2, 2, 7, { state: true, next: 'apart' }),
    shape('several pieces of columns', 2, 67, 19, { state: true, next: 'apart', offset: 5, extra: 19 }),
    shape('from nothing', 3, 33, 66, { bias: false, next: 'apart' }),
    shape('from nothing to nothing', 1, 32, 3),
    shape('eight taps in place', 2, 11, 9, { K: 8, next: 'in place' }),
    shape('two taps', 1, 40, 9, { K: 2, state: true, next: 'apart' }),
    shape('one tap', 1, 5, 9, { K: 1 }),
  ],
  tolerances: { y: FLOAT32, nextState: FLOAT32 },
  bench: [shape('stories', 64, 512, 512, { extra: 512 }), shape('decode', 1, 1, 512, { next: 'in place' })],
  cost: ({ B, S, D, K }) => ({ flops: 2 * K * B * S * D, bytes: 8 * B * S * D }),
});
