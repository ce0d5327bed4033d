import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { ACTIVATION_CODES, type ActivationName } from '../activation/functions.ts';
import { gatedActivationBackwardKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

interface Options {
  /** Where the two gradients are: in one buffer as halves of its rows, or in two. */
  shared?: boolean;
  offset?: number;
  extra?: number;
  accumulate?: boolean;
  outputs?: number;
  gates?: readonly number[];
}

const shape = (name: string, activation: ActivationName, rows: number, D: number, options: Options = {}) => {
  const { shared = true, offset = 0, extra = 0, accumulate = false, outputs = 3, gates } = options;
  const stride = 2 * D + extra;
  return {
    name: `${activation}, ${name}: ${rows} x ${D}${shared ? ' in one buffer' : ''}${accumulate ? ', added' : ''}`,
    params: {
      rows,
      D,
      gateOffset: offset,
      gateStride: stride,
      upOffset: offset + D,
      upStride: stride,
      dgateOffset: offset,
      dgateStride: stride,
      dupOffset: shared ? offset + D : 3,
      dupStride: shared ? stride : D,
      accumulateGate: accumulate ? 1 : 0,
      accumulateUp: accumulate ? 1 : 0,
      outputs,
      activation: ACTIVATION_CODES[activation],
    },
    buffers: (random: Random) => {
      const projected = random.normals(offset + rows * stride, 3);
      gates?.forEach((gate, index) => {
        projected[offset + index] = gate;
      });
      return {
        gate: { dtype: 'fp32' as const, data: projected },
        up: { dtype: 'fp32' as const, data: projected },
        dy: random.tensor(rows * D),
        // What lies between the columns, or was not asked for, must stay as it is.
        dgate: random.tensor(offset + rows * stride),
        dup: shared ? undefined : random.tensor(3 + rows * D),
      };
    },
  };
};

const gates = [-1e30, -100, -88.5, -13.001, -12.999, 0, 87, 100, 1000];

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: gatedActivationBackwardKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: (['silu', 'gelu'] as const).flatMap((activation) => [
    shape('one element', activation, 1, 1),
    shape('odd', activation, 5, 67, { shared: false, offset: 2 }),
    shape('columns', activation, 4, 31, { offset: 7, extra: 20, accumulate: true }),
    shape('columns', activation, 2, 150, { shared: false, accumulate: true }),
    shape('extreme gates', activation, 1, gates.length, { gates }),
    shape('dgate alone', activation, 3, 7, { outputs: 1 }),
    shape('dup alone', activation, 3, 7, { outputs: 2 }),
  ]),
  tolerances: { dgate: FLOAT32, dup: FLOAT32 },
  bench: [shape('7B', 'silu', 512, 10944), shape('stories', 'gelu', 32768, 384), shape('small', 'silu', 16, 704)],
  cost: ({ rows, D, activation }) => ({ flops: (activation ? 52 : 11) * rows * D, bytes: 20 * rows * D }),
});
