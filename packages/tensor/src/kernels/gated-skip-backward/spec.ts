import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { gatedSkipBackwardKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Options {
  offset?: number;
  extra?: number;
  accumulate?: boolean;
  outputs?: readonly ('dh' | 'da' | 'dz')[];
  gates?: readonly number[];
}

const shape = (name: string, rows: number, D: number, options: Options = {}) => {
  const { offset = 0, extra = 0, accumulate = false, outputs = ['dh', 'da', 'dz'], gates } = options;
  return {
    name: `${name}: ${rows} x ${D}${accumulate ? ', added' : ''}`,
    params: {
      rows,
      D,
      zOffset: offset,
      zStride: D + extra,
      dzOffset: 2 * offset,
      dzStride: D + 2 * extra,
      accumulateH: accumulate ? 1 : 0,
      accumulateA: accumulate ? 1 : 0,
      accumulateZ: accumulate ? 1 : 0,
    },
    buffers: (random: Random) => ({
      h: random.tensor(rows * D),
      skip: random.tensor(D, 'fp32', 0.5, 1),
      a: random.tensor(rows * D),
      z: gates
        ? { dtype: 'fp32' as const, data: Float32Array.from(gates) }
        : random.tensor(offset + rows * (D + extra), 'fp32', 3),
      dy: random.tensor(rows * D),
      // What lies between the columns must stay as it is.
      dh: outputs.includes('dh') ? random.tensor(rows * D) : undefined,
      da: outputs.includes('da') ? random.tensor(rows * D) : undefined,
      dz: outputs.includes('dz') ? random.tensor(2 * offset + rows * (D + 2 * extra)) : undefined,
    }),
  };
};

const gates = [-1e30, -100, -88.5, 0, 87, 100, 1000];

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: gatedSkipBackwardKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one element', 1, 1),
    shape('half of the up-projection', 5, 67, { offset: 67, extra: 67 }),
    shape('columns', 4, 80, { offset: 3, extra: 5, accumulate: true }),
    shape('extreme gates', 1, gates.length, { gates }),
    shape('da alone', 2, 5, { outputs: ['da'] }),
    shape('dh and dz', 2, 5, { outputs: ['dh', 'dz'] }),
  ],
  tolerances: { dh: FLOAT32, da: FLOAT32, dz: FLOAT32 },
  bench: [shape('stories', 32768, 512, { offset: 512, extra: 512 }), shape('small', 16, 128)],
  cost: ({ rows, D }) => ({ flops: 16 * rows * D, bytes: 32 * rows * D }),
});
