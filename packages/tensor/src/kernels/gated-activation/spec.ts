import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { ACTIVATION_CODES, type ActivationName } from '../activation/functions.ts';
import { gatedActivationKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

/** Row lengths beyond D, and where the first row starts, as in a fused projection. */
const shape = (
  name: string,
  activation: ActivationName,
  rows: number,
  D: number,
  offset = 0,
  extra = 0,
  gates?: readonly number[],
) => ({
  name: `${activation}, ${name}: ${rows} x ${D}`,
  params: {
    rows,
    D,
    gateOffset: offset,
    gateStride: D + extra,
    upOffset: 2 * offset,
    upStride: D + 2 * extra,
    activation: ACTIVATION_CODES[activation],
  },
  buffers: (random: Random) => ({
    gate: gates
      ? {
          dtype: 'fp32' as const,
          data: Float32Array.from({ length: offset + rows * (D + extra) }, (_, index) => gates[index % gates.length]!),
        }
      : random.tensor(offset + rows * (D + extra), 'fp32', 3),
    up: random.tensor(2 * offset + rows * (D + 2 * extra)),
    y: { dtype: 'fp32' as const, length: rows * D },
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: gatedActivationKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: (['silu', 'gelu'] as const).flatMap((activation) => [
    shape('one element', activation, 1, 1),
    shape('odd', activation, 5, 67),
    shape('columns of a fused projection', activation, 4, 131, 7, 200),
    shape('extreme gates', activation, 1, 9, 0, 0, [-1e30, -100, -88.5, -87, 0, 87, 88.5, 100, 1000]),
    shape('several workgroups', activation, 3, 1000, 0, 8),
  ]),
  tolerances: { y: FLOAT32 },
  bench: [
    shape('decode 7B', 'silu', 1, 10944),
    shape('prefill 7B', 'silu', 512, 10944),
    shape('prefill 7B', 'gelu', 512, 10944),
    shape('small', 'silu', 16, 704),
  ],
  cost: ({ rows, D, activation }) => ({ flops: (activation ? 46 : 6) * rows * D, bytes: 12 * rows * D }),
});
