import { defineKernel, type Kernel } from '@xlstm/device';
import { adamwReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { adamwWebGpu } from './webgpu.ts';

/** One step of AdamW on one tensor; the class `AdamW` launches it. */
export const adamwKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'adamw',
  bindings,
  params,
  webgpu: adamwWebGpu,
  reference: adamwReference,
});
