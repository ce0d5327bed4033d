import { defineKernel, type Kernel } from '@xlstm/device';
import { matmulReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { matmulWebGpu } from './webgpu.ts';

/** `y [M, N] (+)= x [M, K] · weight [N, K]ᵀ (+ bias [N])` for many rows; `linear` launches it. */
export const matmulKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'matmul',
  bindings,
  params,
  webgpu: matmulWebGpu,
  reference: matmulReference,
});
