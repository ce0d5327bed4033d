import { defineKernel, type Kernel } from '@xlstm/device';
import { mlstmStepReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { mlstmStepWebGpu } from './webgpu.ts';

/**
 * Advances C and reads h out, S steps in one launch. With `arrivals` n and m are advanced as well; without,
 * `mlstmStepNormalizerKernel` must follow.
 */
export const mlstmStepKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'mlstm_step',
  bindings,
  params,
  webgpu: mlstmStepWebGpu,
  reference: mlstmStepReference,
});
