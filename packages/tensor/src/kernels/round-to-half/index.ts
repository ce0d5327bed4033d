import { defineKernel, type Kernel } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import type { Tensor } from '../../tensor.ts';
import { maxMagnitude } from '../max-magnitude/index.ts';
import { roundToHalfReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { roundToHalfWebGpu } from './webgpu.ts';

export const roundToHalfKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'round_to_half',
  bindings,
  params,
  webgpu: roundToHalfWebGpu,
  reference: roundToHalfReference,
});

/** A tensor in fp16, as products on subgroup matrices take it. */
export interface HalfTensor {
  /** `[rows, stride]` fp16: the columns, then zeros up to a multiple of 8. */
  half: Tensor;
  /** `[1]`, the bits of the largest magnitude, when that decided a scale. */
  max: Tensor | undefined;
}

/**
 * `x` rounded to fp16. With `scaled`, it is first multiplied by the power of two that brings its largest magnitude to
 * 2¹⁴ … 2¹⁵, so that 29 octaves below that keep their precision; products undo it. Without, what is finite and larger than
 * 65,504 becomes 65,504.
 *
 * @param x `[..., D]` fp32, may be columns of a wider tensor
 * @returns tensors of the scope
 */
export function roundToHalf(scope: Scope, x: Tensor, scaled: boolean): HalfTensor {
  const stride = Math.ceil(x.cols / 8) * 8;
  const half = scope.tensor([x.rows, stride], 'fp16', 'fp16 operand');
  const max = scaled ? maxMagnitude(scope, x) : undefined;
  scope.device.launch(roundToHalfKernel, {
    buffers: { x: x.buffer, max: max?.buffer, y: half.buffer },
    params: { rows: x.rows, D: x.cols, xOffset: x.offset, xStride: x.rowStride, yStride: stride },
  });
  return { half, max };
}
