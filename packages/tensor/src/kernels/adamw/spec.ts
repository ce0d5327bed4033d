import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { adamwKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Extras {
  lr?: number;
  t?: number;
  betas?: readonly [number, number];
  weightDecay?: number;
  scale?: number;
  gradients?: number;
}

const shape = (name: string, length: number, extras: Extras = {}) => {
  const { lr = 0.1, t = 3, betas = [0.9, 0.999], weightDecay = 0.1, scale = 1, gradients = 1 } = extras;
  const [beta1, beta2] = betas;
  const data = (values: readonly number[]) => ({ dtype: 'fp32' as const, data: Float32Array.from(values) });
  return {
    name: `${name}: ${length}`,
    params: { length, beta1, beta2, gain1: 1 - beta1, gain2: 1 - beta2, eps: 1e-8, weightDecay },
    buffers: (random: Random) => ({
      parameter: random.tensor(length),
      gradient: random.tensor(length, 'fp32', gradients),
      first: random.tensor(length, 'fp32', 0.3 * gradients),
      second: { dtype: 'fp32' as const, data: random.normals(length, gradients).map((value) => value * value) },
      hyper: data([lr, 1 / (1 - beta1 ** t), 1 / (1 - beta2 ** t), 1]),
      norm: data([2, scale]),
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: adamwKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one', 1, { t: 1 }),
    shape('odd', 777),
    shape('no decay', 300, { weightDecay: 0, betas: [0.9, 0.95] }),
    shape('clipped', 300, { scale: 0.01, t: 1000 }),
    shape('gradients of zero', 100, { gradients: 0 }),
    shape('small gradients', 100, { gradients: 1e-9 }),
    shape('a norm that is not finite', 100, { scale: Number.NaN }),
  ],
  tolerances: { parameter: FLOAT32, first: FLOAT32, second: FLOAT32 },
  bench: [shape('small', 1 << 16), shape('large', 1 << 24)],
  cost: ({ length }) => ({ flops: 15 * length, bytes: 28 * length }),
});
