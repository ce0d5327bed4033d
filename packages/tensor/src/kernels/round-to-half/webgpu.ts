import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const roundToHalfWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    constants: ({ dtypes }) => ({ HAS_MAX: dtypes.max ? 1 : 0 }),
    workgroups: ({ params: { rows, yStride } }, limits) => spread(Math.ceil((rows * yStride) / 8 / 256), limits),
  },
];
