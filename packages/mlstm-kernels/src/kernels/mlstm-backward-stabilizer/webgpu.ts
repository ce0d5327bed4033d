import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import rows from '../../wgsl/rows.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const mlstmBackwardStabilizerWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code: rows + code,
    workgroups: ({ params: { B, NH } }, limits) => spread(B * NH, limits),
  },
];
