import { defineKernel, type Kernel, ShapeError } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import { requireContiguous, type Tensor } from '../../tensor.ts';
import { argmaxReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { argmaxWebGpu } from './webgpu.ts';

export const argmaxKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'argmax',
  bindings,
  params,
  webgpu: argmaxWebGpu,
  reference: argmaxReference,
});

/**
 * The place of each row's largest element. The lowest wins ties; NaN never wins, and a row of NaN gives 0.
 *
 * @param logits `[..., V]` fp32, contiguous
 * @returns `[...]` i32 (`[1]` for a single row without leading dimensions)
 * @throws ShapeError for a view or an empty last dimension.
 * @example
 * ```ts
 * const [id] = await device.read(argmax(scope, logits).buffer)
 * ```
 */
export function argmax(scope: Scope, logits: Tensor): Tensor {
  requireContiguous('argmax', 'logits', logits);
  if (logits.cols === 0) {
    throw new ShapeError(`argmax: the last dimension must not be empty, got [${logits.shape}]; pass logits [..., V]`);
  }
  const shape = logits.shape.length > 1 ? logits.shape.slice(0, -1) : [1];
  const index = scope.tensor(shape, 'i32', 'argmax');
  scope.device.launch(argmaxKernel, {
    buffers: { logits: logits.buffer, index: index.buffer },
    params: { rows: logits.rows, V: logits.cols },
  });
  return index;
}
