import type { LaunchFacts, WebGpuLimits, WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import gates from '../../slstm-gates.wgsl';
import prelude from '../../wgsl/cell.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

type Facts = LaunchFacts<keyof typeof bindings, keyof typeof params>;

const ROWS = 4;
/** Workgroup memory of a unit's gate gradients, and of its partial sums. */
const UNIT_BYTES = 64;
const FEWEST_UNITS = 4;
/** What a form may use on a software adapter, whose compiler takes seconds over more. */
const SOFTWARE_BYTES = 4096;

function constants({ params: { DH }, dtypes }: Facts, limits: WebGpuLimits): Record<string, number> {
  const memory = limits.software ? SOFTWARE_BYTES : limits.maxWorkgroupStorageBytes;
  // Rounded up, so that heads of about one size share a pipeline.
  const width = 2 ** Math.ceil(Math.log2(DH));
  const shared = UNIT_BYTES * (width + FEWEST_UNITS) <= memory;
  const left = memory - (shared ? UNIT_BYTES * width : 16);
  let units = FEWEST_UNITS;
  while (units < DH && 8 * units <= limits.maxInvocationsPerWorkgroup && 2 * UNIT_BYTES * units <= left) units *= 2;
  return { UNITS: units, SHARED: shared ? 1 : 0, SHARED_GATES: shared ? ROWS * width : 1, HAS_DY: dtypes.dy ? 1 : 0 };
}

export const slstmBackwardWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code: prelude + gates + code,
    constants,
    workgroups: ({ params: { B, NH } }, limits) => spread(Math.ceil(B / ROWS) * NH, limits),
  },
];
