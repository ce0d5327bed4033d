import type { LaunchFacts, WebGpuLimits, WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

/** As in kernel.wgsl. */
export const COLUMNS = 32;
const LANES = 8;

const workgroups = (
  { params: { rows, D, rowsPerSplit } }: LaunchFacts<keyof typeof bindings, keyof typeof params>,
  limits: WebGpuLimits,
) => spread(Math.ceil(D / COLUMNS) * Math.ceil(rows / rowsPerSplit), limits);

export const columnSumsWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  { name: 'narrow', code, needs: { software: true }, constants: () => ({ LANES: 1 }), workgroups },
  { name: 'plain', code, constants: () => ({ LANES }), workgroups },
];
