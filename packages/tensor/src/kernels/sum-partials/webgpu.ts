import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

const THREADS = 256;
const LANES = 16;

export const sumPartialsWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'serial',
    code,
    needs: { software: true },
    constants: () => ({ LANES: 1 }),
    workgroups: ({ params: { N } }, limits) => spread(Math.ceil(N / THREADS), limits),
  },
  {
    name: 'plain',
    code,
    constants: () => ({ LANES }),
    workgroups: ({ params: { N } }, limits) => spread(Math.ceil((N * LANES) / THREADS), limits),
  },
];
