import { defineKernel, type Kernel } from '@xlstm/device';
import { clipScaleReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { clipScaleWebGpu } from './webgpu.ts';

/** The norm over all gradients and the scale that keeps it within bounds; `AdamW` launches it. */
export const clipScaleKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'clip_scale',
  bindings,
  params,
  webgpu: clipScaleWebGpu,
  reference: clipScaleReference,
});
