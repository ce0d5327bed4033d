import { defineKernel, type Kernel } from '@xlstm/device';
import { causalConvWeightBackwardReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { causalConvWeightBackwardWebGpu } from './webgpu.ts';

/** The partial sums over times for the gradients of a convolution's weight and bias; `causalConvBackward` launches it. */
export const causalConvWeightBackwardKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'causal_conv_weight_backward',
  bindings,
  params,
  webgpu: causalConvWeightBackwardWebGpu,
  reference: causalConvWeightBackwardReference,
});
