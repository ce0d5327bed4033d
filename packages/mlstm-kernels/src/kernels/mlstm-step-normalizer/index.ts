import { defineKernel, type Kernel } from '@xlstm/device';
import { mlstmStepNormalizerReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { mlstmStepNormalizerWebGpu } from './webgpu.ts';

/** Advances n and m of a state by S steps; follows `mlstmStepKernel`. */
export const mlstmStepNormalizerKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'mlstm_step_normalizer',
  bindings,
  params,
  webgpu: mlstmStepNormalizerWebGpu,
  reference: mlstmStepNormalizerReference,
});
