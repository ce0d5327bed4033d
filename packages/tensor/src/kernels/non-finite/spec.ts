import { defineSpec, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { nonFiniteKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const BAD = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
/** As large as can be, the smallest that is normal, and one that is not: all finite. */
const EXTREME = [3.4028234e38, -3.4028234e38, 1.1754944e-38, 1e-45, -0];

/** Every `every`-th element is bad, none for 0; counts before `first` must stay as they are. */
const shape = (length: number, parts: number, { first = 0, every = 0 } = {}) => ({
  name: `${length} in ${parts} parts from ${first}, ${every ? `every ${every}th bad` : 'all finite'}`,
  params: { length, first, parts },
  buffers: (random: Random) => {
    const data = random.normals(length);
    for (let at = 0; at < length; at++) {
      if (at % 3 === 1) data[at] = EXTREME[random.integer(EXTREME.length)]!;
      if (every > 0 && at % every === every - 1) data[at] = BAD[random.integer(BAD.length)]!;
    }
    const counts = Uint32Array.from({ length: first + parts }, () => random.integer(1000));
    return { x: { dtype: 'fp32' as const, data }, counts: { dtype: 'u32' as const, data: counts } };
  },
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: nonFiniteKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape(1, 1, { every: 1 }),
    shape(777, 1, { first: 3 }),
    shape(1000, 7, { first: 2, every: 13 }),
    shape(3000, 2, { every: 2900 }),
    shape(5, 4, { every: 2 }),
  ],
  tolerances: { counts: { relativeRms: 1e-12, atol: 1e-12, rtol: 0 } },
  bench: [shape(1 << 20, 64), shape(1 << 26, 256)],
  cost: ({ length }) => ({ flops: length, bytes: 4 * length }),
});
