import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import { TIMES } from '../causal-conv/signature.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const causalConvBackwardWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    constants: ({ dtypes, params: { K } }) => ({
      HAS_DNEXT: dtypes.dnextState ? 1 : 0,
      HAS_DX: dtypes.dx ? 1 : 0,
      HAS_DSTATE: dtypes.dstate ? 1 : 0,
      K,
    }),
    workgroups: ({ dtypes, params: { B, S, D, K } }, limits) => {
      const times = S + (dtypes.dstate ? K - 1 : 0);
      return spread(B * Math.ceil(times / TIMES) * Math.ceil(D / 64), limits);
    },
  },
];
