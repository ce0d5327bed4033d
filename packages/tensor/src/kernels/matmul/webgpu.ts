import type { WebGpuVariant } from '@xlstm/device';
import columns from './columns.wgsl';
import direct from './kernel.direct.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';
import { productConstants } from './weight-constants.ts';

/** As in kernel.wgsl. */
const TILE_M = 64;
const TILE_N = 128;

/** As in columns.wgsl. */
const DIRECT_ROWS = 8;
const DIRECT_COLUMNS = 64;

export const matmulWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'direct',
    code: `${direct}\n${columns}`,
    needs: { software: true },
    fits: ({ params: { K } }) => K % 4 === 0,
    constants: (facts) => ({ ...productConstants(facts), ROWS: DIRECT_ROWS }),
    workgroups: ({ params: { M, N } }) => [Math.ceil(M / DIRECT_ROWS), Math.ceil(N / DIRECT_COLUMNS), 1],
  },
  {
    name: 'plain',
    code,
    constants: productConstants,
    workgroups: ({ params: { M, N } }) => [Math.ceil(M / TILE_M), Math.ceil(N / TILE_N), 1],
  },
];
