import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { headLayerNormKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Options {
  bias?: boolean;
  /** Gate rows are this much longer than NH*DH, and start this far into the buffer. */
  gate?: { offset: number; extra: number; values?: readonly number[] };
  mean?: number;
  weightOffset?: number;
}

const shape = (
  name: string,
  rows: number,
  NH: number,
  DH: number,
  { bias, gate, mean = 0.5, weightOffset = 0 }: Options = {},
) => ({
  name: `${name}: ${rows} x ${NH} x ${DH}${bias ? ' with bias' : ''}${gate ? ' with gate' : ''}`,
  params: {
    rows,
    NH,
    DH,
    eps: 1e-6,
    weightOffset,
    gateOffset: gate?.offset ?? 0,
    gateStride: gate ? NH * DH + gate.extra : 0,
  },
  buffers: (random: Random) => {
    const gates = gate && random.normals(gate.offset + rows * (NH * DH + gate.extra), 3);
    if (gate?.values)
      gates?.forEach((_, index) => {
        gates[index] = gate.values![index % gate.values!.length]!;
      });
    return {
      x: random.tensor(rows * NH * DH, 'fp32', 3, mean),
      weight: random.tensor(NH * DH, 'fp32', 0.2, 1 - weightOffset),
      bias: bias ? random.tensor(NH * DH) : undefined,
      gate: gates && { dtype: 'fp32' as const, data: gates },
      y: { dtype: 'fp32' as const, length: rows * NH * DH },
    };
  },
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: headLayerNormKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one row', 1, 2, 64),
    shape('odd', 5, 3, 33, { bias: true }),
    shape('gate in a fused projection', 3, 3, 21, { bias: true, gate: { offset: 17, extra: 40 } }),
    shape('extreme gates', 2, 2, 16, {
      gate: { offset: 0, extra: 0, values: [-1e30, 1e30, -100, 100, 0, -88.5, 3e38] },
    }),
    shape('wider than a workgroup', 2, 2, 515, { gate: { offset: 1, extra: 3 } }),
    shape('mean far above the deviation', 3, 2, 128, { mean: 30 }),
    shape('weight stored less one', 3, 1, 65, { weightOffset: 1 }),
    shape('one element a head gives the bias', 2, 4, 1, { bias: true }),
  ],
  tolerances: { y: FLOAT32 },
  bench: [
    shape('decode 7B', 1, 8, 512, { gate: { offset: 8192, extra: 8192 } }),
    shape('prefill 7B', 512, 8, 512, { gate: { offset: 8192, extra: 8192 } }),
    shape('small', 16, 4, 64),
  ],
  cost: ({ rows, NH, DH }, { gate }) => ({
    flops: (gate ? 13 : 9) * rows * NH * DH,
    bytes: 4 * (rows * NH * DH * (gate ? 3 : 2) + NH * DH),
  }),
});
