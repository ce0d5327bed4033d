import { defineKernel, type Kernel } from '@xlstm/device';
import { slstmBackwardReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { slstmBackwardWebGpu } from './webgpu.ts';

/** The gradients of every step's pre-activations and of the initial state, from the last step to the first. */
export const slstmBackwardKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'slstm_backward',
  bindings,
  params,
  webgpu: slstmBackwardWebGpu,
  reference: slstmBackwardReference,
});
