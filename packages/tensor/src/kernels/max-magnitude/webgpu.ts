import type { WebGpuVariant } from '@xlstm/device';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

/** Workgroups at most, and elements for which one is worth its while. */
const MOST = 1024;
const LEAST_ELEMENTS = 4096;

export const maxMagnitudeWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    workgroups: ({ params: { rows, D } }) => [Math.min(MOST, Math.ceil((rows * D) / LEAST_ELEMENTS)), 1, 1],
  },
];
