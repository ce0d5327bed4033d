import { defineKernel, type Kernel } from '@xlstm/device';
import { mlstmBackwardGatesReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { mlstmBackwardGatesWebGpu } from './webgpu.ts';

/** The gradient of one gate's pre-activations, from the products of queries and keys with their gradients. */
export const mlstmBackwardGatesKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'mlstm_backward_gates',
  bindings,
  params,
  webgpu: mlstmBackwardGatesWebGpu,
  reference: mlstmBackwardGatesReference,
});
