import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import functions from '../activation/activation.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const gatedSkipBackwardWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code: `${functions}\n${code}`,
    constants: ({ dtypes }) => ({ HAS_DH: dtypes.dh ? 1 : 0, HAS_DA: dtypes.da ? 1 : 0, HAS_DZ: dtypes.dz ? 1 : 0 }),
    workgroups: ({ params: { rows, D } }, limits) => spread(Math.ceil((rows * D) / 256), limits),
  },
];
