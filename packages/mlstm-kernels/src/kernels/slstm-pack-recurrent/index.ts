import { defineKernel, type Kernel } from '@xlstm/device';
import { slstmPackRecurrentReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { slstmPackRecurrentWebGpu } from './webgpu.ts';

/** Recurrent weights with the four gates of a pair of units side by side, as the sequence kernels read them. */
export const slstmPackRecurrentKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'slstm_pack_recurrent',
  bindings,
  params,
  webgpu: slstmPackRecurrentWebGpu,
  reference: slstmPackRecurrentReference,
});
