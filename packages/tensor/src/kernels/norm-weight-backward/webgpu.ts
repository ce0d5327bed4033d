import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const normWeightBackwardWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    constants: ({ dtypes }) => ({ HAS_GATE: dtypes.gate ? 1 : 0 }),
    workgroups: ({ params: { rows, NH, DH, chunk } }, limits) =>
      spread(Math.ceil(rows / chunk) * Math.ceil((NH * DH) / 64), limits),
  },
];
