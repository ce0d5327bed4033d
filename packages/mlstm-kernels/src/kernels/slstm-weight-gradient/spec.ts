import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { inputLayoutParams } from '../../slstm-layout.ts';
import { slstmSavedLength } from '../../slstm-shape.ts';
import { inputPlace, outputParams, outputPlace } from '../../testing/slstm-case-data.ts';
import { slstmWeightGradientKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  [B, S, NH, DH]: readonly [number, number, number, number],
  { rows = B * S, wide = false, recurrent = 1 }: { rows?: number; wide?: boolean; recurrent?: number } = {},
) => {
  const sizes = { B, S, NH, DH };
  const dx = inputPlace(sizes, wide);
  const y = outputPlace(sizes, wide);
  return {
    name: `${name}: B=${B} S=${S} NH=${NH} DH=${DH}, ${rows} rows a sum`,
    params: {
      ...inputLayoutParams('dx', dx.layout),
      ...outputParams('y', y.layout),
      ...{ B, S, NH, DH, rows, recurrent },
    },
    buffers: (random: Random) => ({
      dx: random.tensor(dx.length),
      y: random.tensor(y.length),
      saved: random.tensor(slstmSavedLength(sizes)),
      partials: {
        dtype: 'fp32' as const,
        data: new Float32Array(Math.ceil((B * S) / rows) * 4 * NH * DH * (DH + 1)),
      },
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: slstmWeightGradientKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one of everything', [1, 1, 1, 1]),
    shape('odd', [3, 7, 2, 5], { wide: true }),
    shape('in parts', [3, 15, 2, 9], { rows: 17 }),
    shape('several tiles', [1, 5, 2, 67]),
    shape('bias alone', [3, 9, 2, 33], { recurrent: 0, rows: 10 }),
  ],
  tolerances: { partials: { ...FLOAT32, atol: 1e-5, reason: 'sums of both signs cancel' } },
  bench: [shape('wide heads', [16, 1024, 3, 256]), shape('narrow heads', [64, 512, 4, 64], { rows: 2048 })],
  cost: ({ B, S, NH, DH, rows }) => ({
    flops: 8 * B * S * NH * DH * DH,
    bytes: 4 * NH * (5 * B * S * DH + Math.ceil((B * S) / rows) * 4 * DH * (DH + 1)),
  }),
});
