import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { normWeightBackwardKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Options {
  chunk?: number;
  /** Gate rows are this much longer than NH*DH, and start this far into the buffer. */
  gate?: { offset: number; extra: number };
}

const shape = (name: string, rows: number, NH: number, DH: number, { chunk = 16, gate }: Options = {}) => ({
  name: `${name}: ${rows} x ${NH} x ${DH} by ${chunk}${gate ? ' with gate' : ''}`,
  params: { rows, NH, DH, chunk, gateOffset: gate?.offset ?? 0, gateStride: gate ? NH * DH + gate.extra : 0 },
  buffers: (random: Random) => ({
    x: random.tensor(rows * NH * DH, 'fp32', 3, 0.5),
    gate: gate && random.tensor(gate.offset + rows * (NH * DH + gate.extra), 'fp32', 20),
    dy: random.tensor(rows * NH * DH),
    stats: {
      dtype: 'fp32' as const,
      data: Float32Array.from({ length: 2 * rows * NH }, (_, index) =>
        index % 2 === 0 ? 0.5 + random.normal() : 0.2 + random.uniform(),
      ),
    },
    partials: { dtype: 'fp32' as const, length: 2 * Math.ceil(rows / chunk) * NH * DH },
  }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: normWeightBackwardKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one row', 1, 1, 7),
    shape('odd', 35, 3, 29, { gate: { offset: 11, extra: 31 } }),
    shape('wider than a workgroup', 19, 2, 65, { chunk: 5 }),
  ],
  tolerances: { partials: FLOAT32 },
  bench: [
    shape('7B', 4096, 1, 4096),
    shape('7B heads', 4096, 8, 512, { gate: { offset: 8192, extra: 8192 } }),
    shape('stories', 32768, 1, 256, { chunk: 128 }),
  ],
  cost: ({ rows, NH, DH }, { gate }) => ({
    flops: (gate ? 10 : 5) * rows * NH * DH,
    bytes: 4 * rows * NH * DH * (gate ? 3 : 2),
  }),
});
