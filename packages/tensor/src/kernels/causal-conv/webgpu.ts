import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import code from './kernel.wgsl';
import { type bindings, type params, TIMES } from './signature.ts';

export const causalConvWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    constants: ({ dtypes, params: { K, inPlace } }) => ({
      HAS_BIAS: dtypes.bias ? 1 : 0,
      HAS_STATE: dtypes.state ? 1 : 0,
      HAS_NEXT: dtypes.nextState ? 1 : 0,
      IN_PLACE: inPlace,
      K,
    }),
    workgroups: ({ params: { B, S, D } }, limits) => spread(B * Math.ceil(S / TIMES) * Math.ceil(D / 64), limits),
  },
];
