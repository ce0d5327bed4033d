import { dtypeCode, type WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const embeddingWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    constants: ({ dtypes }) => ({ WEIGHT_DTYPE: dtypeCode(dtypes.weight) }),
    workgroups: ({ params: { rows, D } }, limits) => spread(Math.ceil((rows * D) / 256), limits),
  },
];
