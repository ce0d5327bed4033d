import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import serial from './kernel.serial.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

/** The power of two of invocations that covers a head, between 32 and 256. */
function threadsFor(DH: number): number {
  return Math.min(256, Math.max(32, 2 ** Math.ceil(Math.log2(Math.max(1, DH)))));
}

/** Heads of a workgroup of the serial form. */
const SERIAL_HEADS = 4;

export const headLayerNormWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'serial',
    code: serial,
    needs: { software: true },
    constants: ({ dtypes }) => ({ HAS_BIAS: dtypes.bias ? 1 : 0, HAS_GATE: dtypes.gate ? 1 : 0 }),
    workgroups: ({ params: { rows, NH } }, limits) => spread(Math.ceil((rows * NH) / SERIAL_HEADS), limits),
  },
  {
    name: 'plain',
    code,
    constants: ({ dtypes, params: { DH } }) => ({
      HAS_BIAS: dtypes.bias ? 1 : 0,
      HAS_GATE: dtypes.gate ? 1 : 0,
      THREADS: threadsFor(DH),
    }),
    workgroups: ({ params: { rows, NH } }, limits) => spread(rows * NH, limits),
  },
];
