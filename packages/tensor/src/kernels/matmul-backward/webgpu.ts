import { dtypeCode, type LaunchFacts, type WebGpuVariant } from '@xlstm/device';
import direct from './kernel.direct.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

type Facts = LaunchFacts<keyof typeof bindings, keyof typeof params>;

/** As in kernel.wgsl. */
export const TILE_R = 64;
export const TILE_C = 128;

/** As in kernel.direct.wgsl. */
const DIRECT_R = 8;
const DIRECT_C = 64;

const constants = ({ params: { transposed }, dtypes }: Facts): Record<string, number> => ({
  B_DTYPE: dtypeCode(dtypes.b),
  TRANSPOSED: transposed,
});

const grid = ({ params: { R, C, inner, innerPerSplit } }: Facts, rows: number, columns: number) =>
  [Math.ceil(R / rows), Math.ceil(C / columns), Math.ceil(inner / innerPerSplit)] as const;

export const matmulBackwardWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'direct',
    code: direct,
    needs: { software: true },
    fits: ({ params: { C, bOffset } }) => C % 4 === 0 && bOffset % 4 === 0,
    constants,
    workgroups: (facts) => grid(facts, DIRECT_R, DIRECT_C),
  },
  {
    name: 'plain',
    code,
    constants,
    workgroups: (facts) => grid(facts, TILE_R, TILE_C),
  },
];
