import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { headLayerNormBackwardKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Options {
  bias?: boolean;
  /** Rows of gate and dgate are this much longer than NH*DH, and start this far into the buffer. */
  gate?: { offset: number; extra: number; values?: readonly number[] };
  mean?: number;
  weightOffset?: number;
  accumulate?: boolean;
  dx?: boolean;
  stats?: boolean;
  eps?: number;
}

const shape = (
  name: string,
  rows: number,
  NH: number,
  DH: number,
  { bias, gate, mean = 0.5, weightOffset = 0, accumulate, dx = true, stats = true, eps = 1e-6 }: Options = {},
) => ({
  name: `${name}: ${rows} x ${NH} x ${DH}${gate ? ' with gate' : ''}${accumulate ? ', added' : ''}`,
  params: {
    rows,
    NH,
    DH,
    eps,
    weightOffset,
    gateOffset: gate?.offset ?? 0,
    gateStride: gate ? NH * DH + gate.extra : 0,
    dgateOffset: gate ? 2 * gate.offset : 0,
    dgateStride: gate ? NH * DH + 2 * gate.extra : 0,
    accumulateX: accumulate ? 1 : 0,
    accumulateGate: accumulate ? 1 : 0,
  },
  buffers: (random: Random) => {
    const size = rows * NH * DH;
    const gates = gate && random.normals(gate.offset + rows * (NH * DH + gate.extra), 3);
    if (gate?.values)
      gates?.forEach((_, index) => {
        gates[index] = gate.values![index % gate.values!.length]!;
      });
    return {
      x: random.tensor(size, 'fp32', 3, mean),
      weight: random.tensor(NH * DH, 'fp32', 0.2, 1 - weightOffset),
      bias: bias ? random.tensor(NH * DH) : undefined,
      gate: gates && { dtype: 'fp32' as const, data: gates },
      dy: random.tensor(size),
      dx: !dx ? undefined : accumulate ? random.tensor(size) : { dtype: 'fp32' as const, length: size },
      // What lies between the columns must stay as it is.
      dgate: gate && random.tensor(2 * gate.offset + rows * (NH * DH + 2 * gate.extra)),
      stats: stats ? { dtype: 'fp32' as const, length: 2 * rows * NH } : undefined,
    };
  },
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: headLayerNormBackwardKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one row', 1, 2, 64, { stats: false }),
    shape('odd', 5, 3, 33, { bias: true, weightOffset: 1 }),
    shape('columns', 3, 3, 21, { bias: true, gate: { offset: 17, extra: 40 }, accumulate: true }),
    shape('extreme gates', 2, 2, 16, {
      gate: { offset: 0, extra: 0, values: [-1e30, 1e30, -100, 100, 0, -88.5, 3e38] },
    }),
    shape('wider than a workgroup', 2, 2, 515, { gate: { offset: 1, extra: 3 } }),
    shape('mean far above the deviation', 3, 2, 128, { mean: 30 }),
    // No variance: dx is a rounding error over sqrt(eps), which must not be small for anything to be compared.
    shape('one element a head', 2, 4, 1, { bias: true, accumulate: true, eps: 1 }),
    shape('no dx', 2, 2, 9, { gate: { offset: 0, extra: 0 }, dx: false }),
  ],
  tolerances: { dx: FLOAT32, dgate: FLOAT32, stats: FLOAT32 },
  bench: [
    shape('7B', 512, 8, 512, { gate: { offset: 8192, extra: 8192 } }),
    shape('stories', 32768, 4, 128),
    shape('small', 16, 4, 64),
  ],
  cost: ({ rows, NH, DH }, { gate }) => ({
    flops: (gate ? 30 : 16) * rows * NH * DH,
    bytes: 4 * rows * NH * DH * (gate ? 5 : 3),
  }),
});
