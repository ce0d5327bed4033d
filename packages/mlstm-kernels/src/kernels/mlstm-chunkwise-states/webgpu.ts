import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import prelude from '../../wgsl/cell.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

const TILE = 64;
/** One invocation follows each step of a chunk. */
const MOST_L = 256;

export const mlstmChunkwiseStatesWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code: prelude + code,
    fits: ({ params: { L } }) => L <= MOST_L,
    constants: ({ dtypes }) => ({ HAS_ENTERING: dtypes.entering ? 1 : 0 }),
    workgroups: ({ params: { B, NH, DHQK, DHHV } }, limits) =>
      spread(B * NH * Math.ceil(DHQK / TILE) * Math.ceil(DHHV / TILE), limits),
  },
];
