import { defineKernel, type Kernel } from '@xlstm/device';
import { mlstmChunkwiseBackwardKeysReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { mlstmChunkwiseBackwardKeysWebGpu } from './webgpu.ts';

/** dk of all chunks at once, from the scores' gradients and the gradients of the leaving states. */
export const mlstmChunkwiseBackwardKeysKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'mlstm_chunkwise_backward_keys',
  bindings,
  params,
  webgpu: mlstmChunkwiseBackwardKeysWebGpu,
  reference: mlstmChunkwiseBackwardKeysReference,
});
