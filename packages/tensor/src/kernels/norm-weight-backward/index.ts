import { defineKernel, type Kernel } from '@xlstm/device';
import type { GradientTarget } from '../../gradient.ts';
import { rowChunks } from '../../row-chunks.ts';
import type { Scope } from '../../scope.ts';
import type { Tensor } from '../../tensor.ts';
import { sumPartials } from '../sum-partials/index.ts';
import { normWeightBackwardReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { normWeightBackwardWebGpu } from './webgpu.ts';

/** The partial sums over rows for the gradients of a norm's weight and bias. */
export const normWeightBackwardKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'norm_weight_backward',
  bindings,
  params,
  webgpu: normWeightBackwardWebGpu,
  reference: normWeightBackwardReference,
});

/** Gradients of a norm's weight and bias from the statistics `[rows, NH, 2]` that its backward left. */
export function normWeightBackward(
  scope: Scope,
  inputs: { x: Tensor; gate?: Tensor | undefined; dy: Tensor; stats: Tensor; heads: number },
  targets: { dweight?: GradientTarget | undefined; dbias?: GradientTarget | undefined },
): void {
  const { x, gate, dy, stats, heads } = inputs;
  const { chunk, parts } = rowChunks(x.rows);
  const partials = scope.tensor([parts, 2 * x.cols], 'fp32', 'norm_weight_partials');
  scope.device.launch(normWeightBackwardKernel, {
    buffers: { x: x.buffer, gate: gate?.buffer, dy: dy.buffer, stats: stats.buffer, partials: partials.buffer },
    params: {
      rows: x.rows,
      NH: heads,
      DH: x.cols / heads,
      chunk,
      gateOffset: gate?.offset ?? 0,
      gateStride: gate?.rowStride ?? 0,
    },
  });
  sumPartials(scope, partials, 0, targets.dweight);
  sumPartials(scope, partials, x.cols, targets.dbias);
  scope.release(partials);
}
