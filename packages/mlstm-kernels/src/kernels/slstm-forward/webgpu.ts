import type { LaunchFacts, WebGpuLimits, WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import gates from '../../slstm-gates.wgsl';
import prelude from '../../wgsl/cell.wgsl';
import code from './kernel.wgsl';
import packed from './recurrent.packed.wgsl';
import plain from './recurrent.plain.wgsl';
import type { bindings, params } from './signature.ts';

type Facts = LaunchFacts<keyof typeof bindings, keyof typeof params>;

const ROWS = 4;

/** Workgroup memory: y of four rows, and 16 vectors a unit. */
const bytesFor = (DH: number, units: number): number => 16 * DH + 256 * units;

function constants({ params: { DH, S }, dtypes }: Facts, limits: WebGpuLimits): Record<string, number> {
  let units = 4;
  while (
    units < DH &&
    8 * units <= limits.maxInvocationsPerWorkgroup &&
    bytesFor(DH, 2 * units) <= limits.maxWorkgroupStorageBytes
  ) {
    units *= 2;
  }
  const resident = S > 1 && bytesFor(DH, units) + 16 * DH * DH <= limits.maxWorkgroupStorageBytes;
  return {
    UNITS: units,
    Y_WORDS: ROWS * DH,
    RESIDENT: resident ? 1 : 0,
    RESIDENT_WEIGHTS: resident ? DH * DH : 1,
    HAS_SAVED: dtypes.saved ? 1 : 0,
  };
}

const workgroups = ({ params: { B, NH } }: Facts, limits: WebGpuLimits): readonly [number, number, number] =>
  spread(Math.ceil(B / ROWS) * NH, limits);

export const slstmForwardWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'packed',
    code: prelude + gates + packed + code,
    fits: ({ params }) => params.packed === 1,
    constants,
    workgroups,
  },
  {
    name: 'plain',
    code: prelude + gates + plain + code,
    fits: ({ params }) => params.packed === 0,
    constants,
    workgroups,
  },
];
