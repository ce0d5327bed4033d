import { defineKernel, type Kernel } from '@xlstm/device';
import { slstmWeightGradientReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { slstmWeightGradientWebGpu } from './webgpu.ts';

/** The gradients of recurrent weights and bias as partial sums over ranges of the B·S rows. */
export const slstmWeightGradientKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'slstm_weight_gradient',
  bindings,
  params,
  webgpu: slstmWeightGradientWebGpu,
  reference: slstmWeightGradientReference,
});
