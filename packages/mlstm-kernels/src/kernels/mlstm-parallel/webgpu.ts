import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import prelude from '../../wgsl/cell.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

const COLUMNS = 64;

export const mlstmParallelWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code: prelude + code,
    constants: ({ dtypes }) => ({ HAS_READOUT: dtypes.readout ? 1 : 0 }),
    workgroups: ({ params: { B, NH, S, DHHV } }, limits) => spread(B * NH * S * Math.ceil(DHHV / COLUMNS), limits),
  },
];
