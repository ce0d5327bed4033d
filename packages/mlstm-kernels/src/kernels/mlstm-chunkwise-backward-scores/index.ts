import { defineKernel, type Kernel } from '@xlstm/device';
import { mlstmChunkwiseBackwardScoresReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { mlstmChunkwiseBackwardScoresWebGpu } from './webgpu.ts';

/** Scores of the chunks' steps against each other, and their gradients. */
export const mlstmChunkwiseBackwardScoresKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'mlstm_chunkwise_backward_scores',
  bindings,
  params,
  webgpu: mlstmChunkwiseBackwardScoresWebGpu,
  reference: mlstmChunkwiseBackwardScoresReference,
});
