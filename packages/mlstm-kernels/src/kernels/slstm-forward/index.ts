import { defineKernel, type Kernel } from '@xlstm/device';
import { slstmForwardReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { slstmForwardWebGpu } from './webgpu.ts';

/** S steps of the sLSTM cell in one launch; advances the state, and keeps what the backward needs on demand. */
export const slstmForwardKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'slstm_forward',
  bindings,
  params,
  webgpu: slstmForwardWebGpu,
  reference: slstmForwardReference,
});
