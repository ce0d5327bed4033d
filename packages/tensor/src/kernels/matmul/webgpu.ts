import { dtypeCode, type WebGpuVariant } from '@xlstm/device';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

/** As in kernel.wgsl. */
const TILE_M = 64;
const TILE_N = 128;

export const matmulWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    constants: ({ dtypes }) => ({ WEIGHT_DTYPE: dtypeCode(dtypes.weight), HAS_BIAS: dtypes.bias ? 1 : 0 }),
    workgroups: ({ params: { M, N } }) => [Math.ceil(M / TILE_M), Math.ceil(N / TILE_N), 1],
  },
];
