import { defineKernel, type Kernel } from '@xlstm/device';
import { mlstmChunkwiseBackwardStatesReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { mlstmChunkwiseBackwardStatesWebGpu } from './webgpu.ts';

/** From the last chunk to the first: the gradient of the state that each chunk leaves, and of the initial one. */
export const mlstmChunkwiseBackwardStatesKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'mlstm_chunkwise_backward_states',
  bindings,
  params,
  webgpu: mlstmChunkwiseBackwardStatesWebGpu,
  reference: mlstmChunkwiseBackwardStatesReference,
});
