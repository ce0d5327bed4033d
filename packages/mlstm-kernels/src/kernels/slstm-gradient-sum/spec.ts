import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { inputLayoutParams } from '../../slstm-layout.ts';
import { inputPlace } from '../../testing/slstm-case-data.ts';
import { slstmGradientSumKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  [B, S, NH, DH]: readonly [number, number, number, number],
  { planes = 1, accumulate = 1 }: { planes?: number; accumulate?: number } = {},
) => {
  const target = inputPlace({ B, S, NH, DH }, true);
  const stride = 4 * B * S * NH * DH + 5;
  return {
    name: `${name}: B=${B} S=${S} NH=${NH} DH=${DH}`,
    params: {
      ...inputLayoutParams('target', target.layout),
      ...{ B, S, G: 4, NH, DH, offset: 3, planes, stride, accumulate },
    },
    buffers: (random: Random) => ({
      source: random.tensor(3 + planes * stride),
      target: random.tensor(target.length),
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: slstmGradientSumKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('added', [2, 3, 2, 5]),
    shape('put', [2, 3, 2, 5], { accumulate: 0 }),
    shape('several planes', [1, 4, 3, 7], { planes: 5 }),
  ],
  tolerances: { target: FLOAT32 },
  bench: [
    shape('gradient of x', [16, 1024, 3, 256]),
    shape('16 planes', [1, 64, 4, 64], { planes: 16, accumulate: 0 }),
  ],
  cost: ({ B, S, NH, DH, planes, accumulate }) => ({
    flops: 4 * B * S * NH * DH * planes,
    bytes: 16 * B * S * NH * DH * (planes + 1 + accumulate),
  }),
});
