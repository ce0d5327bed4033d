import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { clipScaleKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Extras {
  maxNorm?: number;
  gradientScale?: number;
  /** Put in place of the last partial sum. */
  last?: number;
}

/** Tensor p has p % 3 + 1 parts. */
const shape = (P: number, { maxNorm = 0, gradientScale = 1, last }: Extras = {}) => ({
  name: `${P} tensors, within ${maxNorm}, scale ${gradientScale}${last === undefined ? '' : `, ${last} among them`}`,
  params: { P, maxNorm },
  buffers: (random: Random) => {
    const starts = new Uint32Array(P + 1);
    for (let p = 0; p < P; p++) starts[p + 1] = starts[p]! + (p % 3) + 1;
    const partials = Float32Array.from({ length: starts[P]! }, () => random.uniform());
    if (last !== undefined) partials[partials.length - 1] = last;
    return {
      partials: { dtype: 'fp32' as const, data: partials },
      starts: { dtype: 'u32' as const, data: starts },
      hyper: { dtype: 'fp32' as const, data: Float32Array.of(1e-3, 2, 3, gradientScale) },
      slots: { dtype: 'fp32' as const, length: P },
      norm: { dtype: 'fp32' as const, length: 2 },
    };
  },
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: clipScaleKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape(1),
    shape(5, { maxNorm: 0.5 }),
    shape(5, { maxNorm: 1000 }),
    shape(301, { maxNorm: 0.5, gradientScale: 0.25 }),
    shape(1, { maxNorm: 1, last: 0 }),
  ],
  tolerances: { slots: FLOAT32, norm: FLOAT32 },
  bench: [shape(300, { maxNorm: 1 })],
  cost: ({ P }) => ({ flops: 3 * P, bytes: 16 * P }),
});
