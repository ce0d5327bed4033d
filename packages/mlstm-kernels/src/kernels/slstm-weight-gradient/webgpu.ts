import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import prelude from '../../wgsl/cell.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

const TILE = 64;

export const slstmWeightGradientWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code: prelude + code,
    workgroups: ({ params: { B, S, NH, DH, rows, recurrent } }, limits) => {
      const tiles = Math.ceil((4 * DH) / TILE) * (recurrent ? Math.ceil(DH / TILE) : 1);
      return spread(Math.ceil((B * S) / rows) * NH * tiles, limits);
    },
  },
];
