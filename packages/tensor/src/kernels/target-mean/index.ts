import { defineKernel, type Kernel } from '@xlstm/device';
import { targetMeanReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { targetMeanWebGpu } from './webgpu.ts';

/** The mean of `losses [T]` over the targets that are not ignored, or their number; `linearCrossEntropy` launches it. */
export const targetMeanKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'target_mean',
  bindings,
  params,
  webgpu: targetMeanWebGpu,
  reference: targetMeanReference,
});
