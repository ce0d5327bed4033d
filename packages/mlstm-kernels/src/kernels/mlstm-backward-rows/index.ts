import { defineKernel, type Kernel } from '@xlstm/device';
import { mlstmBackwardRowsReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { mlstmBackwardRowsWebGpu } from './webgpu.ts';

/** First pass of the backward: gates, readout and the weights of the chunk's edges, as planes by step. */
export const mlstmBackwardRowsKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'mlstm_backward_rows',
  bindings,
  params,
  webgpu: mlstmBackwardRowsWebGpu,
  reference: mlstmBackwardRowsReference,
});
