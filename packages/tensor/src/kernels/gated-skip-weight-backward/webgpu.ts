import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import functions from '../activation/activation.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const gatedSkipWeightBackwardWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code: `${functions}\n${code}`,
    workgroups: ({ params: { rows, D, chunk } }, limits) => spread(Math.ceil(rows / chunk) * Math.ceil(D / 64), limits),
  },
];
