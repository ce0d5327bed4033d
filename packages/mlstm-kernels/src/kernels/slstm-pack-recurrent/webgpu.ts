import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

const THREADS = 64;

export const slstmPackRecurrentWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    workgroups: ({ params: { NH, DH } }, limits) => spread(Math.ceil((NH * DH * DH) / THREADS), limits),
  },
];
