import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import philox from '../sample/philox.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const dropoutWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code: `${philox}\n${code}`,
    workgroups: ({ params: { rows, D } }, limits) => spread(Math.ceil((rows * D) / 256), limits),
  },
];
