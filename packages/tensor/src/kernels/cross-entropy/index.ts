import { defineKernel, type Kernel } from '@xlstm/device';
import { crossEntropyReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { crossEntropyWebGpu } from './webgpu.ts';

/** Losses of rows of logits, and the gradients in their place; `linearCrossEntropy` launches it. */
export const crossEntropyKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'cross_entropy',
  bindings,
  params,
  webgpu: crossEntropyWebGpu,
  reference: crossEntropyReference,
});
