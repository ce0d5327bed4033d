import { defineKernel, type Kernel } from '@xlstm/device';
import { slstmGradientSumReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { slstmGradientSumWebGpu } from './webgpu.ts';

/** Sums planes and puts or adds the result where a gradient belongs. */
export const slstmGradientSumKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'slstm_gradient_sum',
  bindings,
  params,
  webgpu: slstmGradientSumWebGpu,
  reference: slstmGradientSumReference,
});
