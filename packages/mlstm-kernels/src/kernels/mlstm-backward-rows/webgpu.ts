import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import prelude from '../../wgsl/cell.wgsl';
import rows from '../../wgsl/rows.wgsl';
import serial from './kernel.serial.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

/** Invocations of a workgroup of the serial form. */
const SERIAL_THREADS = 4;

export const mlstmBackwardRowsWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'serial',
    code: prelude + rows + serial,
    needs: { software: true },
    workgroups: ({ params: { B, NH, S, L } }, limits) =>
      spread(Math.ceil((B * NH * Math.ceil(S / L)) / SERIAL_THREADS), limits),
  },
  {
    name: 'plain',
    code: prelude + rows + code,
    workgroups: ({ params: { B, NH, S, L } }, limits) => spread(B * NH * Math.ceil(S / L), limits),
  },
];
