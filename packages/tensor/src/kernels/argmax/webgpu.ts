import type { WebGpuVariant } from '@xlstm/device';
import { spread, threadsForRow } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const argmaxWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    constants: ({ params: { V } }, limits) => ({ THREADS: threadsForRow(V, limits) }),
    workgroups: ({ params: { rows } }, limits) => spread(rows, limits),
  },
];
