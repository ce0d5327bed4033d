import { dtypeCode, type WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

/** As in kernel.wgsl. */
const BITS = 3;

export const randomFillWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    constants: ({ dtypes }) => ({ DTYPE: dtypes.y === 'u32' ? BITS : dtypeCode(dtypes.y) }),
    workgroups: ({ params: { length }, dtypes }, limits) =>
      spread(Math.ceil(length / (dtypes.y === 'fp32' || dtypes.y === 'u32' ? 1 : 2) / 256), limits),
  },
];
