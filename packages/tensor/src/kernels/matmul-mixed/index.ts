import { defineKernel, type Kernel } from '@xlstm/device';
import { matmulMixedReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { matmulMixedWebGpu } from './webgpu.ts';

/** `y [M, N] (+)= A · B (+ bias)` of operands in fp16, with float32 sums, on subgroup matrices. */
export const matmulMixedKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'matmul_mixed',
  bindings,
  params,
  webgpu: matmulMixedWebGpu,
  reference: matmulMixedReference,
});
