import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import { TIMES } from '../causal-conv/signature.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const causalConvBackwardWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    constants: ({ dtypes, params: { K, outputs } }) => ({ HAS_DNEXT: dtypes.dnextState ? 1 : 0, OUTPUTS: outputs, K }),
    workgroups: ({ params: { B, S, D, K, outputs } }, limits) => {
      const times = S + (outputs & 2 ? K - 1 : 0);
      return spread(B * Math.ceil(times / TIMES) * Math.ceil(D / 64), limits);
    },
  },
];
