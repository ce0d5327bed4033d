import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const blockDiagonalLinearWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    constants: ({ dtypes, params: { transposed } }) => ({ HAS_BIAS: dtypes.bias ? 1 : 0, TRANSPOSED: transposed }),
    workgroups: ({ params: { rows, NB, O } }, limits) =>
      spread(Math.ceil((Math.ceil(rows / 4) * NB * Math.ceil(O / 4)) / 64), limits),
  },
];
