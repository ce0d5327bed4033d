import { defineKernel, type Kernel } from '@xlstm/device';
import { mlstmChunkwiseBackwardQueriesReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { mlstmChunkwiseBackwardQueriesWebGpu } from './webgpu.ts';

/** dq of all chunks at once, from the scores' gradients and the entering states. */
export const mlstmChunkwiseBackwardQueriesKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'mlstm_chunkwise_backward_queries',
  bindings,
  params,
  webgpu: mlstmChunkwiseBackwardQueriesWebGpu,
  reference: mlstmChunkwiseBackwardQueriesReference,
});
