import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const rmsNormWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    constants: ({ dtypes }) => ({ HAS_BIAS: dtypes.bias ? 1 : 0 }),
    workgroups: ({ params: { rows } }, limits) => spread(rows, limits),
  },
];
