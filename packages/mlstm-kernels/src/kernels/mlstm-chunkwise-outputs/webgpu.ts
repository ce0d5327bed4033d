import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import prelude from '../../wgsl/cell.wgsl';
import recurrence from '../mlstm-step/recurrence.wgsl';
import serial from './kernel.serial.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

const BLOCK = 32;
const COLUMNS = 128;
const MOST_L = 256;
/** Of the serial form: columns of a workgroup, and the longest head that an invocation can keep. */
const SERIAL_COLUMNS = 16;
const MOST_SERIAL_DHQK = 128;

export const mlstmChunkwiseOutputsWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'serial',
    code: prelude + recurrence + serial,
    needs: { software: true },
    constants: ({ dtypes }) => ({ HAS_READOUT: dtypes.readout ? 1 : 0 }),
    fits: ({ params: { DHQK } }) => DHQK <= MOST_SERIAL_DHQK,
    workgroups: ({ params: { B, NH, S, DHHV, L } }, limits) =>
      spread(B * NH * Math.ceil(S / L) * Math.ceil(DHHV / SERIAL_COLUMNS), limits),
  },
  {
    name: 'plain',
    code: prelude + code,
    constants: ({ dtypes }) => ({ HAS_READOUT: dtypes.readout ? 1 : 0 }),
    fits: ({ params: { L } }) => L % BLOCK === 0 && L <= MOST_L,
    workgroups: ({ params: { B, NH, S, DHHV } }, limits) =>
      spread(B * NH * Math.ceil(S / BLOCK) * Math.ceil(DHHV / COLUMNS), limits),
  },
];
