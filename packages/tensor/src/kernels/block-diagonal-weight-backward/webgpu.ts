import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const blockDiagonalWeightBackwardWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    workgroups: ({ params: { rows, NB, DI, DO, chunk } }, limits) => {
      const patches = NB * Math.ceil(DI / 4) * Math.ceil(DO / 4);
      return spread(Math.ceil((Math.ceil(rows / chunk) * patches) / 64), limits);
    },
  },
];
