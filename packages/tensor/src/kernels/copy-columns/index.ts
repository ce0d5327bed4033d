import { defineKernel, type Kernel, OptionError } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import { requireShape, type Tensor } from '../../tensor.ts';
import { copyColumnsReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { copyColumnsWebGpu } from './webgpu.ts';

export const copyColumnsKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'copy_columns',
  bindings,
  params,
  webgpu: copyColumnsWebGpu,
  reference: copyColumnsReference,
});

function launch(operation: string, scope: Scope, target: Tensor, source: Tensor, accumulate: boolean): void {
  requireShape(operation, 'source', source, target.shape);
  if (target.buffer === source.buffer) {
    throw new OptionError(`${operation}: source and target share the buffer "${source.buffer.label}"; use two`);
  }
  scope.device.launch(copyColumnsKernel, {
    buffers: { source: source.buffer, target: target.buffer },
    params: {
      rows: target.rows,
      D: target.cols,
      sourceOffset: source.offset,
      sourceStride: source.rowStride,
      targetOffset: target.offset,
      targetStride: target.rowStride,
      accumulate: accumulate ? 1 : 0,
    },
  });
}

/**
 * A contiguous copy, such as of columns of a wider tensor.
 *
 * @param source `[..., D]` fp32, may be columns of a wider tensor
 * @returns `[..., D]` fp32, contiguous
 * @throws DtypeError when source is not fp32.
 * @example
 * ```ts
 * const keys = copyColumns(scope, projected.columns(D, D))
 * ```
 */
export function copyColumns(scope: Scope, source: Tensor): Tensor {
  const y = scope.tensor(source.shape, 'fp32', 'copy_columns');
  launch('copyColumns', scope, y, source, false);
  scope.record({
    name: 'copyColumns',
    inputs: [source],
    outputs: [y],
    saved: [],
    backward: (gradients) => {
      const target = gradients.target(source);
      if (target) launch('copyColumns', gradients.scope, target.tensor, gradients.of(y)!, target.accumulate);
    },
  });
  return y;
}

/**
 * `target ← source`, either of which may be columns of a wider tensor.
 *
 * @param target `[..., D]` fp32
 * @param source the same shape, fp32, in another buffer
 * @throws ShapeError when the shapes differ; OptionError when both are in one buffer; GradientError on a tape that
 * differentiates either: use `copyColumns` there.
 * @example
 * ```ts
 * copyTo(scope, joined.columns(0, D), part)
 * ```
 */
export function copyTo(scope: Scope, target: Tensor, source: Tensor): void {
  scope.refuseGradient('copyTo', target, source);
  launch('copyTo', scope, target, source, false);
}

/**
 * `target ← target + source`, either of which may be columns of a wider tensor.
 *
 * @param target `[..., D]` fp32
 * @param source the same shape, fp32, in another buffer
 * @throws ShapeError when the shapes differ; OptionError when both are in one buffer; GradientError on a tape that
 * differentiates either: use `residual` there.
 * @example
 * ```ts
 * addTo(scope, dprojected.columns(D, D), dkeys)
 * ```
 */
export function addTo(scope: Scope, target: Tensor, source: Tensor): void {
  scope.refuseGradient('addTo', target, source);
  launch('addTo', scope, target, source, true);
}
