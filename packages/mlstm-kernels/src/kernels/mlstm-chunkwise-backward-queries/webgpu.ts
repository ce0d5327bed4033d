import type { WebGpuVariant } from '@xlstm/device';
import { tilesOf } from '../../backward-rows.ts';
import { spread } from '../../grid.ts';
import prelude from '../../wgsl/cell.wgsl';
import rows from '../../wgsl/rows.wgsl';
import tile from '../../wgsl/tile.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

type Variants = readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[];

export const mlstmChunkwiseBackwardQueriesWebGpu: Variants = [
  {
    name: 'plain',
    code: prelude + rows + tile + code,
    workgroups: ({ params: { B, NH, S, DHQK, L } }, limits) =>
      spread(B * NH * Math.ceil(S / L) * tilesOf(L) * tilesOf(DHQK), limits),
  },
];
