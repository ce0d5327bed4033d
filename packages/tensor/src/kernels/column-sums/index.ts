import { type DeviceBuffer, DtypeError, defineKernel, type Kernel, OptionError } from '@xlstm/device';
import type { GradientTarget } from '../../gradient.ts';
import type { Scope } from '../../scope.ts';
import { requireContiguous, type Tensor } from '../../tensor.ts';
import { columnSumsReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { COLUMNS, columnSumsWebGpu } from './webgpu.ts';

export const columnSumsKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'column_sums',
  bindings,
  params,
  webgpu: columnSumsWebGpu,
  reference: columnSumsReference,
});

/** Workgroups that keep a large GPU busy, and rows that a part of a split sum has at least. */
const BUSY = 512;
const LEAST_ROWS = 256;

function launch(
  scope: Scope,
  x: Tensor,
  y: DeviceBuffer,
  yOffset: number,
  rowsPerSplit: number,
  accumulate: boolean,
): void {
  scope.device.launch(columnSumsKernel, {
    buffers: { x: x.buffer, y },
    params: {
      rows: x.rows,
      D: x.cols,
      xOffset: x.offset,
      xStride: x.rowStride,
      rowsPerSplit,
      yOffset,
      accumulate: accumulate ? 1 : 0,
    },
  });
}

/** `y [D] (+)= Σ rows of x`, from element `yOffset` of a buffer on; what `columnSums` and split products launch. */
export function addColumnSums(scope: Scope, x: Tensor, y: DeviceBuffer, yOffset: number, accumulate: boolean): void {
  const { rows, cols: D } = x;
  const splits = Math.min(Math.ceil(BUSY / Math.ceil(D / COLUMNS)), Math.floor(rows / LEAST_ROWS));
  if (splits <= 1) {
    launch(scope, x, y, yOffset, rows, accumulate);
    return;
  }
  const rowsPerSplit = Math.ceil(rows / splits);
  const partial = scope.tensor([Math.ceil(rows / rowsPerSplit), D], 'fp32', 'column_sums partials');
  launch(scope, x, partial.buffer, 0, rowsPerSplit, false);
  launch(scope, partial, y, yOffset, partial.rows, accumulate);
  scope.release(partial);
}

/**
 * Sums over all rows, `target [D] (+)= Σ_r x[r, :]`: the gradient of a bias. Deterministic: many rows are added up in two
 * passes, without atomics.
 *
 * @param x `[..., D]` fp32, may be columns of a wider tensor
 * @param target `[D]` fp32, contiguous, a buffer of its own
 * @throws ShapeError when shapes differ; DtypeError for another dtype; OptionError when target shares x's buffer.
 * @example
 * ```ts
 * columnSums(scope, dy, { tensor: dbias, accumulate: true })
 * ```
 */
export function columnSums(scope: Scope, x: Tensor, target: GradientTarget): void {
  const { tensor, accumulate } = target;
  requireContiguous('columnSums', 'target', tensor, [x.cols]);
  for (const [name, given] of Object.entries({ x, target: tensor })) {
    if (given.dtype !== 'fp32') {
      throw new DtypeError(`columnSums: ${name} must be fp32, got ${given.dtype}; convert it first`);
    }
  }
  if (tensor.buffer === x.buffer) {
    throw new OptionError('columnSums: target must have a buffer of its own, got that of x; allocate another');
  }
  scope.refuseGradient('columnSums', x, tensor);
  if (x.cols === 0) return;
  if (x.rows === 0) {
    if (!accumulate) scope.device.clear(tensor.buffer);
    return;
  }
  addColumnSums(scope, x, tensor.buffer, 0, accumulate);
}
