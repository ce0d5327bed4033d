import type { WebGpuVariant } from '@xlstm/device';
import { tilesOf } from '../../backward-rows.ts';
import { spread } from '../../grid.ts';
import prelude from '../../wgsl/cell.wgsl';
import rows from '../../wgsl/rows.wgsl';
import tile from '../../wgsl/tile.wgsl';
import serial from './kernel.serial.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

/** Invocations of a workgroup of the serial form. */
const SERIAL_THREADS = 4;

type Variants = readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[];

export const mlstmChunkwiseBackwardKeysWebGpu: Variants = [
  {
    name: 'serial',
    code: prelude + rows + serial,
    needs: { software: true },
    workgroups: ({ params: { B, NH, S, DHQK } }, limits) =>
      spread(Math.ceil((B * NH * S * tilesOf(DHQK)) / SERIAL_THREADS), limits),
  },
  {
    name: 'plain',
    code: prelude + rows + tile + code,
    workgroups: ({ params: { B, NH, S, DHQK, L } }, limits) =>
      spread(B * NH * Math.ceil(S / L) * tilesOf(L) * tilesOf(DHQK), limits),
  },
];
