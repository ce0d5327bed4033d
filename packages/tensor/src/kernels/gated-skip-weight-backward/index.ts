import { defineKernel, type Kernel } from '@xlstm/device';
import { gatedSkipWeightBackwardReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { gatedSkipWeightBackwardWebGpu } from './webgpu.ts';

/** The partial sums over rows for the gradient of a learned skip; `gatedSkipBackward` launches it. */
export const gatedSkipWeightBackwardKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'gated_skip_weight_backward',
  bindings,
  params,
  webgpu: gatedSkipWeightBackwardWebGpu,
  reference: gatedSkipWeightBackwardReference,
});
