import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import prelude from '../../wgsl/cell.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

const BLOCK = 32;
const COLUMNS = 128;
const MOST_L = 256;

export const mlstmChunkwiseOutputsWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code: prelude + code,
    fits: ({ params: { L } }) => L % BLOCK === 0 && L <= MOST_L,
    workgroups: ({ params: { B, NH, S, DHHV } }, limits) =>
      spread(B * NH * Math.ceil(S / BLOCK) * Math.ceil(DHHV / COLUMNS), limits),
  },
];
