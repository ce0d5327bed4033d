import type { LaunchFacts, WebGpuLimits, WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import gates from '../../slstm-gates.wgsl';
import prelude from '../../wgsl/cell.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

type Facts = LaunchFacts<keyof typeof bindings, keyof typeof params>;

const ROWS = 4;
/** Workgroup memory of a unit's gate gradients, and of its partial sums. */
const GATE_BYTES = 64;
const PARTIAL_BYTES = 64;

function constants({ params: { DH }, dtypes }: Facts, limits: WebGpuLimits): Record<string, number> {
  const smallest = 4;
  const shared = GATE_BYTES * DH + PARTIAL_BYTES * smallest <= limits.maxWorkgroupStorageBytes;
  const left = limits.maxWorkgroupStorageBytes - (shared ? GATE_BYTES * DH : 16);
  let units = smallest;
  while (units < DH && 8 * units <= limits.maxInvocationsPerWorkgroup && 2 * PARTIAL_BYTES * units <= left) units *= 2;
  return { UNITS: units, SHARED: shared ? 1 : 0, SHARED_GATES: shared ? ROWS * DH : 1, HAS_DY: dtypes.dy ? 1 : 0 };
}

export const slstmBackwardWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code: prelude + gates + code,
    constants,
    workgroups: ({ params: { B, NH } }, limits) => spread(Math.ceil(B / ROWS) * NH, limits),
  },
];
