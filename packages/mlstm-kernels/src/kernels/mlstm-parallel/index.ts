import { defineKernel, type Kernel } from '@xlstm/device';
import { mlstmParallelReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { mlstmParallelWebGpu } from './webgpu.ts';

/** h of every step from all steps before it and the initial state; work grows with S². */
export const mlstmParallelKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'mlstm_parallel',
  bindings,
  params,
  webgpu: mlstmParallelWebGpu,
  reference: mlstmParallelReference,
});
