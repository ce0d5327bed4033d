import type { WebGpuVariant } from '@xlstm/device';
import { spread, threadsForRow } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

/** Of a histogram over 8 bits of a key. */
const BINS = 256;

export const sampleWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    constants: ({ dtypes, params: { V } }, limits) => {
      const threads = threadsForRow(V, limits);
      return { HAS_SEEN: dtypes.seen ? 1 : 0, THREADS: threads, BINS_EACH: Math.max(1, BINS / threads) };
    },
    workgroups: ({ params: { B } }, limits) => spread(B, limits),
  },
];
