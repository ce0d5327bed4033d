import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

/** The power of two of invocations that covers a head, between 32 and 256. */
function threadsFor(DH: number): number {
  return Math.min(256, Math.max(32, 2 ** Math.ceil(Math.log2(Math.max(1, DH)))));
}

export const headLayerNormWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    constants: ({ dtypes, params: { DH } }) => ({
      HAS_BIAS: dtypes.bias ? 1 : 0,
      HAS_GATE: dtypes.gate ? 1 : 0,
      THREADS: threadsFor(DH),
    }),
    workgroups: ({ params: { rows, NH } }, limits) => spread(rows * NH, limits),
  },
];
