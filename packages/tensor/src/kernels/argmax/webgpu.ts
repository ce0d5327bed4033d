import type { WebGpuVariant } from '@xlstm/device';
import { spread, threadsForRow } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

/** One subgroup of a software adapter, for which a barrier costs the more the wider the workgroup is. */
const NARROW_THREADS = 4;

export const argmaxWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'narrow',
    code,
    needs: { software: true },
    constants: () => ({ THREADS: NARROW_THREADS }),
    workgroups: ({ params: { rows } }, limits) => spread(rows, limits),
  },
  {
    name: 'plain',
    code,
    constants: ({ params: { V } }, limits) => ({ THREADS: threadsForRow(V, limits) }),
    workgroups: ({ params: { rows } }, limits) => spread(rows, limits),
  },
];
