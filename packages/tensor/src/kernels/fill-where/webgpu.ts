import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const fillWhereWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    workgroups: ({ params: { rows, D } }, limits) => spread(Math.ceil((rows * D) / 256), limits),
  },
];
