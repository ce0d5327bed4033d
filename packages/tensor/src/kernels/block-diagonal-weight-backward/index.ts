import { defineKernel, type Kernel } from '@xlstm/device';
import { blockDiagonalWeightBackwardReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { blockDiagonalWeightBackwardWebGpu } from './webgpu.ts';

/** The partial sums over rows for the gradients of block-diagonal weights; `blockDiagonalLinearBackward` launches it. */
export const blockDiagonalWeightBackwardKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'block_diagonal_weight_backward',
  bindings,
  params,
  webgpu: blockDiagonalWeightBackwardWebGpu,
  reference: blockDiagonalWeightBackwardReference,
});
