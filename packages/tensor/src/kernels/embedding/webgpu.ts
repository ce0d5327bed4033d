import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import { weightConstants } from '../matmul/weight-constants.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const embeddingWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    constants: ({ dtypes: { weight }, params: { bits, group } }) => weightConstants(weight, bits, group),
    workgroups: ({ params: { rows, D } }, limits) => spread(Math.ceil((rows * D) / 256), limits),
  },
];
