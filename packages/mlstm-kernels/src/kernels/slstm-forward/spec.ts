import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { slstmSavedLength } from '../../slstm-shape.ts';
import { forwardParamsOf, outputPlace, type SlstmCaseOptions, slstmArrays } from '../../testing/slstm-case-data.ts';
import { slstmForwardKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  [B, S, NH, DH]: readonly [number, number, number, number],
  { packed = 1, saved = true, ...options }: SlstmCaseOptions & { packed?: number; saved?: boolean } = {},
) => {
  const sizes = { B, S, NH, DH };
  return {
    name: `${name}: B=${B} S=${S} NH=${NH} DH=${DH}`,
    params: forwardParamsOf(sizes, options, packed),
    buffers: (random: Random) => {
      const { x, recurrent, bias, state } = slstmArrays(random, sizes, options);
      return {
        x: { dtype: 'fp32' as const, data: x },
        recurrent: { dtype: 'fp32' as const, data: recurrent },
        bias: { dtype: 'fp32' as const, data: bias },
        state: { dtype: 'fp32' as const, data: state },
        // Gaps between rows belong to somebody else; they are zero and must stay so.
        y: { dtype: 'fp32' as const, data: new Float32Array(outputPlace(sizes, options.wide).length) },
        saved: saved ? { dtype: 'fp32' as const, length: slstmSavedLength(sizes) } : undefined,
      };
    },
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: slstmForwardKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one of everything', [1, 1, 1, 1], { packed: 0 }),
    shape('one step', [3, 1, 2, 16], { packed: 0, wide: true }),
    shape('several steps, plain weights', [5, 4, 2, 7], { packed: 0, initial: 'mixed' }),
    shape('rows that fill no tile', [5, 9, 2, 5], { wide: true }),
    shape('from nothing', [2, 9, 3, 12], { initial: 'empty' }),
    shape('empty beside full', [6, 7, 1, 9], { initial: 'mixed', extremes: true }),
    shape('extreme gates', [2, 24, 2, 8], { extremes: true, initial: 'empty' }),
    shape('clipped', [2, 11, 2, 6], { clip: 0.2 }),
    shape('nothing saved', [1, 6, 1, 64], { saved: false }),
    shape('more units than a workgroup takes at once', [2, 3, 1, 150], { initial: 'empty' }),
  ],
  tolerances: { state: FLOAT32, y: FLOAT32, saved: FLOAT32 },
  bench: [
    shape('wide heads', [16, 1024, 3, 256]),
    shape('narrow heads', [64, 512, 4, 64]),
    shape('one step', [1, 1, 4, 256], { packed: 0, saved: false }),
  ],
  cost: ({ B, S, NH, DH }, { saved }) => ({
    flops: 8 * B * S * NH * DH * DH,
    bytes: 4 * NH * (4 * DH * DH + B * S * DH * (saved ? 12 : 5)),
  }),
});
