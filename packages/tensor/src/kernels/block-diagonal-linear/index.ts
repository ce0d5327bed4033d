import { defineKernel, type Kernel } from '@xlstm/device';
import { blockDiagonalLinearReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { blockDiagonalLinearWebGpu } from './webgpu.ts';

/** `y (+)= x` times a block-diagonal matrix, or its transpose: forward and the gradient of x alike. */
export const blockDiagonalLinearKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'block_diagonal_linear',
  bindings,
  params,
  webgpu: blockDiagonalLinearWebGpu,
  reference: blockDiagonalLinearReference,
});
