import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import prelude from '../../wgsl/cell.wgsl';
import recurrence from '../mlstm-step/recurrence.wgsl';
import serial from './kernel.serial.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

/** Heads of a workgroup of the serial form. */
const SERIAL_HEADS = 4;

export const mlstmStepNormalizerWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'serial',
    code: prelude + recurrence + serial,
    needs: { software: true },
    workgroups: ({ params: { B, NH } }, limits) => spread(Math.ceil((B * NH) / SERIAL_HEADS), limits),
  },
  {
    name: 'plain',
    code: prelude + code,
    workgroups: ({ params: { B, NH } }, limits) => spread(B * NH, limits),
  },
];
