import { defineKernel, type Kernel } from '@xlstm/device';
import { mlstmChunkwiseBackwardValuesReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { mlstmChunkwiseBackwardValuesWebGpu } from './webgpu.ts';

/** dv of all chunks at once, from the scores and the gradients of the leaving states. */
export const mlstmChunkwiseBackwardValuesKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'mlstm_chunkwise_backward_values',
  bindings,
  params,
  webgpu: mlstmChunkwiseBackwardValuesWebGpu,
  reference: mlstmChunkwiseBackwardValuesReference,
});
