import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { inputLayoutParams } from '../../slstm-layout.ts';
import { slstmStateLength } from '../../slstm-shape.ts';
import {
  afterForward,
  inputPlace,
  outputParams,
  outputPlace,
  type SlstmCaseOptions,
} from '../../testing/slstm-case-data.ts';
import { slstmBackwardKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Options extends SlstmCaseOptions {
  cut?: number;
  recurrentClip?: number;
  /** Whether y has a gradient; the last state always does. */
  given?: boolean;
}

const shape = (
  name: string,
  [B, S, NH, DH]: readonly [number, number, number, number],
  { cut = 0, recurrentClip = 0, given = true, ...options }: Options = {},
) => {
  const sizes = { B, S, NH, DH };
  const dy = outputPlace(sizes, options.wide);
  const dx = inputPlace(sizes, options.wide);
  return {
    name: `${name}: B=${B} S=${S} NH=${NH} DH=${DH}`,
    params: {
      ...outputParams('dy', dy.layout),
      ...inputLayoutParams('dx', dx.layout),
      ...{ B, S, NH, DH, clip: options.clip ?? 0, cut, recurrent_clip: recurrentClip },
    },
    buffers: (random: Random) => ({
      recurrent: random.tensor(4 * NH * DH * DH, 'fp32', 0.5 / Math.sqrt(DH)),
      saved: { dtype: 'fp32' as const, data: afterForward(random, sizes, options).saved },
      dy: given ? random.tensor(dy.length) : undefined,
      carried: random.tensor(slstmStateLength(sizes)),
      dx: { dtype: 'fp32' as const, data: new Float32Array(dx.length) },
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: slstmBackwardKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one of everything', [1, 1, 1, 1]),
    shape('rows that fill no tile', [5, 9, 2, 5], { wide: true }),
    shape('from nothing', [2, 9, 3, 12], { initial: 'empty' }),
    shape('empty beside full', [6, 7, 1, 9], { initial: 'mixed' }),
    shape('extreme gates', [2, 24, 2, 8], { extremes: true, initial: 'empty' }),
    shape('clipped', [2, 11, 2, 6], { clip: 0.2 }),
    shape('recurrent gradient clipped', [2, 11, 2, 6], { recurrentClip: 0.1 }),
    shape('recurrent gradient cut', [3, 6, 2, 6], { cut: 1 }),
    shape('gradient of the last state alone', [1, 8, 1, 20], { given: false }),
    shape('more gates than workgroup memory takes', [2, 2, 1, 150], { initial: 'empty' }),
  ],
  tolerances: {
    carried: { ...FLOAT32, relativeRms: 4e-6, atol: 1e-5 },
    dx: { ...FLOAT32, relativeRms: 4e-6, atol: 1e-5 },
  },
  bench: [shape('wide heads', [16, 1024, 3, 256]), shape('narrow heads', [64, 512, 4, 64])],
  cost: ({ B, S, NH, DH }) => ({
    flops: 8 * B * S * NH * DH * DH,
    bytes: 4 * NH * (4 * DH * DH + B * S * DH * 12),
  }),
});
