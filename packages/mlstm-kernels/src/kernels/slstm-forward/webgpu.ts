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
/** Their y take 8 KiB of workgroup memory, which has 16 KiB at least. */
const MOST_DH = 512;

/** What a form may use on a software adapter, whose compiler takes seconds over more. */
const SOFTWARE_BYTES = 4096;

function constants({ params: { DH, S }, dtypes }: Facts, limits: WebGpuLimits): Record<string, number> {
  const memory = limits.software ? SOFTWARE_BYTES : limits.maxWorkgroupStorageBytes;
  // Rounded up, so that heads of about one size share a pipeline.
  const width = 2 ** Math.ceil(Math.log2(DH));
  // y of four rows, and 16 vectors a unit.
  const bytesFor = (units: number) => 16 * width + 256 * units;
  let units = 4;
  while (units < DH && 8 * units <= limits.maxInvocationsPerWorkgroup && bytesFor(2 * units) <= memory) units *= 2;
  const resident = S > 1 && bytesFor(units) + 16 * width * width <= memory;
  return {
    UNITS: units,
    Y_WORDS: ROWS * width,
    RESIDENT: resident ? 1 : 0,
    RESIDENT_WEIGHTS: resident ? width * width : 1,
    HAS_SAVED: dtypes.saved ? 1 : 0,
  };
}

const workgroups = ({ params: { B, NH } }: Facts, limits: WebGpuLimits): readonly [number, number, number] =>
  spread(Math.ceil(B / ROWS) * NH, limits);

export const slstmForwardWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'packed',
    code: prelude + gates + packed + code,
    fits: ({ params }) => params.packed === 1 && params.DH <= MOST_DH,
    constants,
    workgroups,
  },
  {
    name: 'plain',
    code: prelude + gates + plain + code,
    fits: ({ params }) => params.packed === 0 && params.DH <= MOST_DH,
    constants,
    workgroups,
  },
];
