import { DtypeError, defineKernel, type Kernel } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import { requireContiguous, type Tensor } from '../../tensor.ts';
import { fillWhereReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { fillWhereWebGpu } from './webgpu.ts';

export const fillWhereKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'fill_where',
  bindings,
  params,
  webgpu: fillWhereWebGpu,
  reference: fillWhereReference,
});

/** Which rows are filled, and with what. */
export interface FillWhereOptions {
  /** `[...]` i32, one for each row of x. */
  ids: Tensor;
  /** Rows with this id are filled. */
  id: number;
  value: number;
}

function launch(scope: Scope, x: Tensor, y: Tensor, { ids, id, value }: FillWhereOptions, accumulate: boolean): void {
  scope.device.launch(fillWhereKernel, {
    buffers: { x: x.buffer, ids: ids.buffer, y: y.buffer },
    params: {
      rows: x.rows,
      D: x.cols,
      xOffset: x.offset,
      xStride: x.rowStride,
      yOffset: y.offset,
      yStride: y.rowStride,
      id,
      value,
      accumulate: accumulate ? 1 : 0,
    },
  });
}

/**
 * x with the rows whose id is `id` filled by one value. Filling a forget gate's pre-activations with a very small number
 * where a document begins closes the gate there: the memory of the document before is gone.
 *
 * @param x `[..., D]` fp32, may be columns of a wider tensor
 * @param options.ids `[...]` i32, contiguous, the shape of x without its last dimension
 * @returns `[..., D]` fp32, contiguous; no gradient goes through the filled rows
 * @throws ShapeError when shapes differ, DtypeError when ids are not i32.
 * @example
 * ```ts
 * const f = fillWhere(scope, gates.columns(NH, NH), { ids: tokens, id: bosTokenId, value: -1e30 })
 * ```
 */
export function fillWhere(scope: Scope, x: Tensor, options: FillWhereOptions): Tensor {
  requireContiguous('fillWhere', 'ids', options.ids, x.shape.slice(0, -1));
  if (options.ids.dtype !== 'i32') {
    throw new DtypeError(`fillWhere: ids must be i32, got ${options.ids.dtype}; upload an Int32Array`);
  }
  const y = scope.tensor(x.shape, 'fp32', 'fill_where');
  launch(scope, x, y, options, false);
  scope.record({
    name: 'fillWhere',
    inputs: [x],
    outputs: [y],
    saved: [options.ids],
    backward: (gradients) => {
      const target = gradients.target(x);
      if (target) {
        const { tensor, accumulate } = target;
        launch(gradients.scope, gradients.of(y)!, tensor, { ...options, value: 0 }, accumulate);
      }
    },
  });
  return y;
}
