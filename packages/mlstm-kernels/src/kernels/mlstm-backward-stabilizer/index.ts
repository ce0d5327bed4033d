import { defineKernel, type Kernel } from '@xlstm/device';
import { mlstmBackwardStabilizerReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { mlstmBackwardStabilizerWebGpu } from './webgpu.ts';

/** What reaches each gate through the stabiliser: from eps, and from the last state where it depends on m. */
export const mlstmBackwardStabilizerKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'mlstm_backward_stabilizer',
  bindings,
  params,
  webgpu: mlstmBackwardStabilizerWebGpu,
  reference: mlstmBackwardStabilizerReference,
});
