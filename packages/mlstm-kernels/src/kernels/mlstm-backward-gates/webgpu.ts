import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import prelude from '../../wgsl/cell.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

export const mlstmBackwardGatesWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code: prelude + code,
    workgroups: ({ params: { B, NH, S, L } }, limits) => spread(B * NH * Math.ceil(S / L), limits),
  },
];
