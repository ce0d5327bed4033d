import type { LaunchFacts, WebGpuLimits, WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import columns from '../matmul/columns.wgsl';
import { productConstants } from '../matmul/weight-constants.ts';
import plain from './kernel.plain.wgsl';
import serial from './kernel.serial.wgsl';
import subgroups from './kernel.subgroups.wgsl';
import vec4 from './kernel.vec4.wgsl';
import quantizedSums from './quantized-sums.wgsl';
import rowSums from './row-sums.wgsl';
import { type bindings, MAX_ROWS, type params } from './signature.ts';

type Variant = WebGpuVariant<keyof typeof bindings, keyof typeof params>;
type Facts = LaunchFacts<keyof typeof bindings, keyof typeof params>;

const ROWS_PER_GROUP = 4;
const SUBGROUPS_THREADS = 256;
/** Columns that a workgroup of the serial form makes. */
const SERIAL_COLUMNS = 64;

const few = ({ params: { M } }: Facts): boolean => M <= MAX_ROWS;
const aligned = (facts: Facts): boolean => few(facts) && !quantized(facts) && facts.params.K % 8 === 0;

const quantized = (facts: Facts): boolean => few(facts) && facts.dtypes.weight === 'u32';

const shared = (facts: Facts): Record<string, number> => ({ ...productConstants(facts), ROWS: facts.params.M });

/**
 * Groups of four outputs in a workgroup. Many outputs fill a GPU with a subgroup for each group; the fewer there are,
 * the more subgroups share the K of one, so that as many bytes are under way.
 */
function groupsPerWorkgroup(N: number, limits: WebGpuLimits): number {
  const all = Math.ceil(N / ROWS_PER_GROUP);
  const wanted = all >= 2048 ? 8 : all >= 1024 ? 4 : all >= 256 ? 2 : 1;
  return Math.max(1, Math.min(wanted, Math.floor(SUBGROUPS_THREADS / limits.maxSubgroupSize)));
}

const subgroupsForm: Omit<Variant, 'name' | 'code'> = {
  needs: { features: ['subgroups'], minSubgroupSize: 4, invocationsPerWorkgroup: SUBGROUPS_THREADS },
  constants: (facts, limits) => ({
    ...shared(facts),
    GROUPS: groupsPerWorkgroup(facts.params.N, limits),
    SLOTS: (SUBGROUPS_THREADS / limits.minSubgroupSize) * facts.params.M,
  }),
  workgroups: ({ params: { N } }, limits) =>
    spread(Math.ceil(N / (ROWS_PER_GROUP * groupsPerWorkgroup(N, limits))), limits),
};

const vec4Form: Omit<Variant, 'name' | 'code'> = {
  constants: shared,
  workgroups: ({ params: { N } }, limits) => spread(Math.ceil(N / 16), limits),
};

export const matvecWebGpu: readonly Variant[] = [
  {
    name: 'serial',
    code: `${serial}\n${columns}`,
    needs: { software: true },
    fits: (facts) => few(facts) && facts.params.K % 4 === 0,
    // A power of two of rows, so that fewer pipelines serve all M; rows past the end are not stored.
    constants: (facts) => ({ ...shared(facts), ROWS: 2 ** Math.ceil(Math.log2(facts.params.M)) }),
    workgroups: ({ params: { N } }, limits) => spread(Math.ceil(N / SERIAL_COLUMNS), limits),
  },
  { name: 'subgroups', code: `${subgroups}\n${rowSums}`, fits: aligned, ...subgroupsForm },
  { name: 'vec4', code: `${vec4}\n${rowSums}`, fits: aligned, ...vec4Form },
  { name: 'subgroups quantised', code: `${subgroups}\n${quantizedSums}`, fits: quantized, ...subgroupsForm },
  { name: 'vec4 quantised', code: `${vec4}\n${quantizedSums}`, fits: quantized, ...vec4Form },
  {
    name: 'plain',
    code: plain,
    fits: (facts) => few(facts) && !quantized(facts),
    constants: shared,
    workgroups: ({ params: { N } }, limits) => spread(Math.ceil(N / 4), limits),
  },
];
