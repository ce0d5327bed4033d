import type { LaunchFacts, WebGpuLimits, WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import prelude from '../../wgsl/cell.wgsl';
import arrivals from './arrivals.wgsl';
import plain from './kernel.plain.wgsl';
import serial from './kernel.serial.wgsl';
import subgroups from './kernel.subgroups.wgsl';
import vec4 from './kernel.vec4.wgsl';
import recurrence from './recurrence.wgsl';
import type { bindings, params } from './signature.ts';

type Facts = LaunchFacts<keyof typeof bindings, keyof typeof params>;

/** Workgroup memory that the partial sums leave for n: 16 KiB less 256 scalars and 256 vectors. */
const MOST_DHQK = 2048;
const TILE = 16;
/** An invocation of the serial form keeps n in an array of this length. */
const MOST_SERIAL_DHQK = 128;

const counts = ({ dtypes }: Facts): Record<string, number> => ({ HAS_ARRIVALS: dtypes.arrivals ? 1 : 0 });
const constants = (facts: Facts): Record<string, number> => ({ ...counts(facts), N_WORDS: facts.params.DHQK });
/** The state must be whole vectors to its end, or m would be out of reach. */
const isWhole = ({ params: { B, NH, DHQK, DHHV } }: Facts): boolean =>
  DHQK <= MOST_DHQK && DHHV % 4 === 0 && (B * NH * (DHQK + 1)) % 4 === 0;

/** Workgroups that keep a large GPU busy: with more of them, wider tiles are read in longer pieces. */
const BUSY = 1024;
const THREADS = 256;
/** Vectors of columns in a tile of the `subgroups` form. */
function lanesOf({ params: { B, NH, DHHV } }: Facts): number {
  let lanes = 4;
  while (lanes < 16 && (B * NH * DHHV) / 4 / (2 * lanes) >= BUSY) lanes *= 2;
  return lanes;
}

const workgroups = ({ params: { B, NH, DHHV } }: Facts, limits: WebGpuLimits): readonly [number, number, number] =>
  spread(B * NH * Math.ceil(DHHV / TILE), limits);

export const mlstmStepWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'serial',
    code: prelude + recurrence + serial,
    needs: { software: true },
    fits: ({ params: { DHQK } }) => DHQK <= MOST_SERIAL_DHQK,
    constants: counts,
    workgroups,
  },
  {
    name: 'subgroups',
    code: `enable subgroups;\n${prelude}${subgroups}${arrivals}`,
    needs: { features: ['subgroups'], minSubgroupSize: 4, invocationsPerWorkgroup: THREADS },
    fits: (facts) => facts.params.S === 1 && isWhole(facts),
    constants: (facts, { minSubgroupSize }) => {
      const lanes = lanesOf(facts);
      const block = Math.max(lanes, minSubgroupSize);
      return { ...constants(facts), LANES: lanes, ROWS: THREADS / lanes, SUBGROUP: minSubgroupSize, BLOCK: block };
    },
    workgroups: (facts, limits) => {
      const { B, NH, DHHV } = facts.params;
      return spread(B * NH * Math.ceil(DHHV / 4 / lanesOf(facts)), limits);
    },
  },
  {
    name: 'vec4',
    code: prelude + vec4 + arrivals,
    fits: isWhole,
    constants,
    workgroups,
  },
  {
    name: 'plain',
    code: prelude + plain + arrivals,
    fits: ({ params: { DHQK } }) => DHQK <= MOST_DHQK,
    constants,
    workgroups,
  },
];
