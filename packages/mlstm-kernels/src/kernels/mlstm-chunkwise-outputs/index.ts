import { defineKernel, type Kernel } from '@xlstm/device';
import { mlstmChunkwiseOutputsReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { mlstmChunkwiseOutputsWebGpu } from './webgpu.ts';

/** Second pass of the chunkwise form: h of all chunks at once, from the states that they are entered with. */
export const mlstmChunkwiseOutputsKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'mlstm_chunkwise_outputs',
  bindings,
  params,
  webgpu: mlstmChunkwiseOutputsWebGpu,
  reference: mlstmChunkwiseOutputsReference,
});
