import type { WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import { mlstmStateLength } from '../../state.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

const THREADS = 256;

export const mlstmBackwardInitialWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'plain',
    code,
    workgroups: ({ params: cell }, limits) => spread(Math.ceil(mlstmStateLength(cell) / THREADS), limits),
  },
];
