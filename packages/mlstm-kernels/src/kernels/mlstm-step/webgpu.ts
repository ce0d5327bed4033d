import type { LaunchFacts, WebGpuLimits, WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import prelude from '../../wgsl/cell.wgsl';
import plain from './kernel.plain.wgsl';
import serial from './kernel.serial.wgsl';
import vec4 from './kernel.vec4.wgsl';
import recurrence from './recurrence.wgsl';
import type { bindings, params } from './signature.ts';

type Facts = LaunchFacts<keyof typeof bindings, keyof typeof params>;

/** Workgroup memory that the partial sums leave for n: 16 KiB less 256 scalars and 256 vectors. */
const MOST_DHQK = 2048;
const TILE = 16;
/** An invocation of the serial form keeps n in an array of this length. */
const MOST_SERIAL_DHQK = 128;

const constants = ({ params: { DHQK } }: Facts): Record<string, number> => ({ N_WORDS: DHQK });
const workgroups = ({ params: { B, NH, DHHV } }: Facts, limits: WebGpuLimits): readonly [number, number, number] =>
  spread(B * NH * Math.ceil(DHHV / TILE), limits);

export const mlstmStepWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'serial',
    code: prelude + recurrence + serial,
    needs: { software: true },
    fits: ({ params: { DHQK } }) => DHQK <= MOST_SERIAL_DHQK,
    workgroups,
  },
  {
    name: 'vec4',
    code: prelude + vec4,
    // The state must be whole vectors to its end, or m would be out of reach.
    fits: ({ params: { B, NH, DHQK, DHHV } }) => DHQK <= MOST_DHQK && DHHV % 4 === 0 && (B * NH * (DHQK + 1)) % 4 === 0,
    constants,
    workgroups,
  },
  {
    name: 'plain',
    code: prelude + plain,
    fits: ({ params: { DHQK } }) => DHQK <= MOST_DHQK,
    constants,
    workgroups,
  },
];
