import { defineKernel, type Kernel } from '@xlstm/device';
import { mlstmChunkwiseStatesReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { mlstmChunkwiseStatesWebGpu } from './webgpu.ts';

/** First pass of the chunkwise form: the state that each chunk is entered with, and the last state. */
export const mlstmChunkwiseStatesKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'mlstm_chunkwise_states',
  bindings,
  params,
  webgpu: mlstmChunkwiseStatesWebGpu,
  reference: mlstmChunkwiseStatesReference,
});
