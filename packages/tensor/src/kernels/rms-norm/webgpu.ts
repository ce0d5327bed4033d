import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import serial from './kernel.serial.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

/** Rows of a workgroup of the serial form. */
const SERIAL_ROWS = 4;

export const rmsNormWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'serial',
    code: serial,
    needs: { software: true },
    constants: ({ dtypes }) => ({ HAS_BIAS: dtypes.bias ? 1 : 0 }),
    workgroups: ({ params: { rows } }, limits) => spread(Math.ceil(rows / SERIAL_ROWS), limits),
  },
  {
    name: 'plain',
    code,
    constants: ({ dtypes }) => ({ HAS_BIAS: dtypes.bias ? 1 : 0 }),
    workgroups: ({ params: { rows } }, limits) => spread(rows, limits),
  },
];
