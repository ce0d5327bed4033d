import { defineSpec, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { argmaxKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  rows: number,
  V: number,
  adjust: (row: Float32Array, index: number) => void = () => {},
) => ({
  name: `${name}: ${rows} x ${V}`,
  params: { rows, V },
  buffers: (random: Random) => {
    const data = random.normals(rows * V, 4);
    for (let row = 0; row < rows; row++) adjust(data.subarray(row * V, (row + 1) * V), row);
    return { logits: { dtype: 'fp32' as const, data }, index: { dtype: 'i32' as const, length: rows } };
  },
});

const { NaN: nan, NEGATIVE_INFINITY: lowest, POSITIVE_INFINITY: highest } = Number;
const hostile = [
  [nan, nan, nan, nan, nan],
  [nan, lowest, nan, lowest, nan],
  [lowest, lowest, lowest, lowest, lowest],
  [1, nan, highest, 3, highest],
  [-3, -2, -2, -5, nan],
  [-0, 0, -0, 0, -1],
  [nan, -1, -0, 0, nan],
  [-1e-30, -3e38, -1e-20, -1, lowest],
];

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: argmaxKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one element', 3, 1),
    shape('odd', 5, 131),
    shape('wider than a workgroup', 3, 2500),
    shape('ties', 4, 1500, (row, index) => row.fill(100, 1400 - 401 * index, 1400)),
    shape('the last wins', 2, 1025, (row) => row.fill(50, 1024)),
    shape('NaN, infinities, zeros', hostile.length, 5, (row, index) => row.set(hostile[index]!)),
  ],
  // Indices are exact; a bound must be above zero to be a share of.
  tolerances: { index: { relativeRms: 1e-12, atol: 1e-12, rtol: 0 } },
  bench: [shape('decode 7B', 1, 50304), shape('batch of 32', 32, 50304), shape('small', 1, 512)],
  cost: ({ rows, V }) => ({ flops: rows * V, bytes: 4 * rows * V }),
});
