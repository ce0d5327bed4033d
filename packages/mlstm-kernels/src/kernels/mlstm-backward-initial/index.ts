import { defineKernel, type Kernel } from '@xlstm/device';
import { mlstmBackwardInitialReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { mlstmBackwardInitialWebGpu } from './webgpu.ts';

/** The gradient of the initial state from what the pass over chunks left, with that of its stabiliser. */
export const mlstmBackwardInitialKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'mlstm_backward_initial',
  bindings,
  params,
  webgpu: mlstmBackwardInitialWebGpu,
  reference: mlstmBackwardInitialReference,
});
