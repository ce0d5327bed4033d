import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const causalConvWeightBackwardWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    constants: ({ dtypes, params: { K } }) => ({ HAS_STATE: dtypes.state ? 1 : 0, K }),
    workgroups: ({ params: { B, S, D, chunk } }, limits) =>
      spread(Math.ceil((B * S) / chunk) * Math.ceil(D / 64), limits),
  },
];
