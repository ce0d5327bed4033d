import { dtypeCode, type LaunchFacts, type WebGpuVariant } from '@xlstm/device';
import serial from './kernel.serial.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

type Facts = LaunchFacts<keyof typeof bindings, keyof typeof params>;

/** As in kernel.wgsl. */
export const TILE_R = 64;
export const TILE_C = 128;

/** As in kernel.serial.wgsl. */
const SERIAL_R = 4;
const SERIAL_C = 32;

const constants = ({ params: { transposed }, dtypes }: Facts): Record<string, number> => ({
  B_DTYPE: dtypeCode(dtypes.b),
  TRANSPOSED: transposed,
});

const grid = ({ params: { R, C, inner, innerPerSplit } }: Facts, rows: number, columns: number) =>
  [Math.ceil(R / rows), Math.ceil(C / columns), Math.ceil(inner / innerPerSplit)] as const;

export const matmulBackwardWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'serial',
    code: serial,
    needs: { software: true },
    constants,
    workgroups: (facts) => grid(facts, SERIAL_R, SERIAL_C),
  },
  {
    name: 'plain',
    code,
    constants,
    workgroups: (facts) => grid(facts, TILE_R, TILE_C),
  },
];
