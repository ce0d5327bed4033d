import type { WebGpuVariant } from '@xlstm/device';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

/** One subgroup of a software adapter, for which a barrier costs the more the wider the workgroup is. */
const NARROW_THREADS = 4;

export const nonFiniteWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'narrow',
    code,
    needs: { software: true },
    constants: () => ({ THREADS: NARROW_THREADS }),
    workgroups: ({ params: { parts } }) => [parts, 1, 1],
  },
  {
    name: 'plain',
    code,
    constants: () => ({ THREADS: 256 }),
    workgroups: ({ params: { parts } }) => [parts, 1, 1],
  },
];
