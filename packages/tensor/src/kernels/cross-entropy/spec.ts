import { defineSpec, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { crossEntropyKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Extras {
  first?: number;
  softCap?: number;
  gradient?: boolean;
  scale?: number;
  deviation?: number;
  /** Every third target is ignored. */
  ignore?: boolean;
  values?: readonly number[];
}

const shape = (name: string, rows: number, V: number, extras: Extras = {}) => {
  const { first = 0, softCap = 0, gradient = true, scale, deviation = 3, ignore = false, values } = extras;
  const ignoreIndex = -100;
  return {
    name: `${name}: ${rows} x ${V}${softCap > 0 ? `, cap ${softCap}` : ''}${gradient ? '' : ', loss only'}`,
    params: { rows, V, first, ignoreIndex, softCap },
    buffers: (random: Random) => {
      const data = random.normals(rows * V, deviation);
      if (values) data.set(values.slice(0, rows * V));
      const id = (at: number) => (ignore && at % 3 === 1 ? ignoreIndex : random.integer(V));
      return {
        logits: { dtype: 'fp32' as const, data },
        targets: { dtype: 'i32' as const, data: Int32Array.from({ length: first + rows }, (_, at) => id(at)) },
        losses: { dtype: 'fp32' as const, data: random.normals(first + rows) },
        // Near 1, so that gradients are about 1 and absolute bounds speak.
        count: gradient ? { dtype: 'fp32' as const, data: Float32Array.of(3) } : undefined,
        scale: scale === undefined ? undefined : { dtype: 'fp32' as const, data: Float32Array.of(scale) },
      };
    },
  };
};

const extremes = [
  ...[1e30, -1e30, 1e29, 0, -3e38],
  ...[-3e38, -3e38, -3e38, -3e38, -3e38],
  ...[3e38, -3e38, 3e38, 0, 1],
  ...[100, -100, 88, 89, -104],
  ...[1e4, 1e4 + 1, 1e4 - 1, 0, -1e4],
  ...[0, -Infinity, 2, 1, -Infinity],
];

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: crossEntropyKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  // Each of gradient and scale is a pipeline, and so is each width of a workgroup.
  cases: [
    shape('odd', 5, 131),
    shape('one class', 3, 1),
    shape('ignored targets', 7, 33, { ignore: true, first: 2 }),
    shape('capped', 4, 67, { softCap: 30, deviation: 40 }),
    shape('capped, near zero', 3, 60, { softCap: 30, deviation: 0.5 }),
    shape('scaled', 3, 50, { scale: 0.5 }),
    shape('wider than a workgroup', 2, 1500, { softCap: 2, deviation: 1 }),
    shape('evaluated', 6, 70, { gradient: false, ignore: true, first: 1 }),
    shape('extremes', 6, 5, { values: extremes, scale: 1 }),
    shape('extremes, capped', 6, 5, { values: extremes, softCap: 30 }),
    shape('logits all alike', 2, 40, { deviation: 0 }),
  ],
  tolerances: {
    // A logit of about 100 gives an exponent that float32 holds to 2^-24 of it: 100 times the rounding of 1.
    logits: { relativeRms: 4e-6, atol: 1e-6, rtol: 4e-5 },
    losses: { relativeRms: 2e-6, atol: 5e-6, rtol: 5e-6 },
  },
  bench: [shape('stories', 32768, 512), shape('head 7B', 1024, 50304, { softCap: 30 })],
  cost: ({ rows, V }, { count }) => ({ flops: rows * V * (count ? 12 : 6), bytes: 4 * rows * V * (count ? 2 : 1) }),
});
