import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import prelude from '../../wgsl/cell.wgsl';
import recurrence from '../mlstm-step/recurrence.wgsl';
import serial from './kernel.serial.wgsl';
import tiled from './kernel.tiled.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

const BLOCK = 32;
const COLUMNS = 128;
const MOST_L = 256;
/** Of the serial form: columns of a workgroup, and the longest head that an invocation can keep. */
const SERIAL_COLUMNS = 16;
const MOST_SERIAL_DHQK = 128;
/** Of the tiled form: steps of a chunk, columns of a workgroup, and elements of a vector. */
const TILED_L = 64;
const TILED_COLUMNS = 128;
const VECTOR = 4;
const VECTORS = ['q', 'k', 'v', 'h'] as const;

/** Whether rows of all four operands start at whole vectors. */
function aligned(sizes: Readonly<Record<keyof typeof params, number>>): boolean {
  return (
    sizes.DHQK % VECTOR === 0 &&
    sizes.DHHV % VECTOR === 0 &&
    VECTORS.every((name) =>
      [sizes[`${name}_offset`], sizes[`${name}_batch`], sizes[`${name}_head`], sizes[`${name}_step`]].every(
        (elements) => elements % VECTOR === 0,
      ),
    )
  );
}

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
    name: 'tiled',
    code: prelude + tiled,
    constants: ({ dtypes }) => ({ HAS_READOUT: dtypes.readout ? 1 : 0 }),
    fits: ({ params: sizes }) => sizes.L === TILED_L && aligned(sizes),
    workgroups: ({ params: { B, NH, S, DHHV } }, limits) =>
      spread(B * NH * Math.ceil(S / TILED_L) * Math.ceil(DHHV / TILED_COLUMNS), limits),
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
