import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import prelude from '../../wgsl/cell.wgsl';
import recurrence from '../mlstm-step/recurrence.wgsl';
import serial from './kernel.serial.wgsl';
import tiled from './kernel.tiled.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

const TILE = 64;
/** One invocation follows each step of a chunk. */
const MOST_L = 256;
/** Of the serial form: rows of an invocation, columns of a workgroup. */
const SERIAL_ROWS = 8;
const SERIAL_COLUMNS = 16;
/** Of the tiled form: steps of a chunk, columns of a workgroup, which has TILE rows. */
const TILED_L = 64;
const TILED_COLUMNS = 128;

export const mlstmChunkwiseStatesWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'serial',
    code: prelude + recurrence + serial,
    needs: { software: true },
    constants: ({ dtypes }) => ({ HAS_ENTERING: dtypes.entering ? 1 : 0 }),
    workgroups: ({ params: { B, NH, DHQK, DHHV } }, limits) =>
      spread(B * NH * Math.ceil(DHQK / SERIAL_ROWS) * Math.ceil(DHHV / SERIAL_COLUMNS), limits),
  },
  {
    name: 'tiled',
    code: prelude + tiled,
    fits: ({ params: { L } }) => L === TILED_L,
    constants: ({ dtypes }) => ({ HAS_ENTERING: dtypes.entering ? 1 : 0 }),
    workgroups: ({ params: { B, NH, DHQK, DHHV } }, limits) =>
      spread(B * NH * Math.ceil(DHQK / TILE) * Math.ceil(DHHV / TILED_COLUMNS), limits),
  },
  {
    name: 'plain',
    code: prelude + code,
    fits: ({ params: { L } }) => L <= MOST_L,
    constants: ({ dtypes }) => ({ HAS_ENTERING: dtypes.entering ? 1 : 0 }),
    workgroups: ({ params: { B, NH, DHQK, DHHV } }, limits) =>
      spread(B * NH * Math.ceil(DHQK / TILE) * Math.ceil(DHHV / TILE), limits),
  },
];
