import type { WebGpuVariant } from '@xlstm/device';
import { spread, threadsForRow } from '../../grid.ts';
import kernel from './kernel.wgsl';
import philox from './philox.wgsl';
import type { bindings, params } from './signature.ts';

const code = `${philox}\n${kernel}`;

/** Of a histogram over 8 bits of a key. */
const BINS = 256;
const has = (dtype: unknown): number => (dtype ? 1 : 0);
/** One subgroup of a software adapter, for which a barrier costs the more the wider the workgroup is. */
const NARROW_THREADS = 4;

export const sampleWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'narrow',
    code,
    needs: { software: true },
    constants: ({ dtypes }) => ({
      HAS_SEEN: has(dtypes.seen),
      HAS_SETTINGS: has(dtypes.settings),
      THREADS: NARROW_THREADS,
      BINS_EACH: BINS / NARROW_THREADS,
    }),
    workgroups: ({ params: { B } }, limits) => spread(B, limits),
  },
  {
    name: 'plain',
    code,
    constants: ({ dtypes, params: { V } }, limits) => {
      const threads = threadsForRow(V, limits);
      return {
        HAS_SEEN: has(dtypes.seen),
        HAS_SETTINGS: has(dtypes.settings),
        THREADS: threads,
        BINS_EACH: Math.max(1, BINS / threads),
      };
    },
    workgroups: ({ params: { B } }, limits) => spread(B, limits),
  },
];
