import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import prelude from '../../wgsl/cell.wgsl';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

const THREADS = 64;

export const slstmGradientSumWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code: prelude + code,
    workgroups: ({ params: { B, S, G, NH, DH } }, limits) => spread(Math.ceil((B * S * G * NH * DH) / THREADS), limits),
  },
];
