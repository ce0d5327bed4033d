import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import functions from '../activation/activation.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const gatedSkipBackwardWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code: `${functions}\n${code}`,
    constants: ({ params: { outputs } }) => ({ OUTPUTS: outputs }),
    workgroups: ({ params: { rows, D } }, limits) => spread(Math.ceil((rows * D) / 256), limits),
  },
];
