import { defineKernel, type Kernel } from '@xlstm/device';
import type { GradientTarget } from '../../gradient.ts';
import { accumulateFlag } from '../../gradient-checks.ts';
import type { Scope } from '../../scope.ts';
import { elementCount, type Tensor } from '../../tensor.ts';
import { sumPartialsReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { sumPartialsWebGpu } from './webgpu.ts';

/** Adds up the partial sums that another kernel left, one row for each part. */
export const sumPartialsKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'sum_partials',
  bindings,
  params,
  webgpu: sumPartialsWebGpu,
  reference: sumPartialsReference,
});

/** Adds the columns of `partials [parts, N]` from `offset` on into a gradient, if it is wanted. */
export function sumPartials(scope: Scope, partials: Tensor, offset: number, target: GradientTarget | undefined): void {
  if (!target) return;
  scope.device.launch(sumPartialsKernel, {
    buffers: { partials: partials.buffer, y: target.tensor.buffer },
    params: {
      parts: partials.rows,
      stride: partials.cols,
      offset,
      N: elementCount(target.tensor.shape),
      accumulate: accumulateFlag(target),
    },
  });
}
