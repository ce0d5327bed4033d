import { type DeviceBuffer, defineKernel, type Kernel, OptionError } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import { requireContiguous, type Tensor } from '../../tensor.ts';
import { softCapBackward } from '../soft-cap-backward/index.ts';
import { softCapReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { softCapWebGpu } from './webgpu.ts';

export const softCapKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'soft_cap',
  bindings,
  params,
  webgpu: softCapWebGpu,
  reference: softCapReference,
});

function checkCap(operation: string, cap: number): void {
  if (!(cap > 0 && Number.isFinite(cap))) {
    throw new OptionError(
      `${operation}: cap must be a positive finite number, got ${cap}; leave the call out for no cap`,
    );
  }
}

function launch(scope: Scope, x: Tensor, y: Tensor, source: DeviceBuffer | undefined, cap: number): void {
  scope.device.launch(softCapKernel, {
    buffers: { x: source, y: y.buffer },
    params: { rows: x.rows, D: x.cols, xOffset: x.offset, xStride: x.rowStride, cap },
  });
}

function remember(scope: Scope, name: string, x: Tensor, y: Tensor, cap: number): void {
  scope.record({
    name,
    inputs: [x],
    outputs: [y],
    saved: [y],
    backward: (gradients) => {
      softCapBackward(gradients.scope, { y, dy: gradients.of(y)!, cap }, { dx: gradients.target(x) });
    },
  });
}

/**
 * Keeps values within ±cap, smoothly: `y = cap · tanh(x / cap)`.
 *
 * @param x `[..., D]` fp32, may be columns of a wider tensor
 * @param cap 30 for the logits and 15 for the gates of xLSTM Large
 * @returns `[..., D]` fp32, contiguous
 * @throws OptionError when cap is not positive and finite. Source: xLSTM 7B (2503.13427), section 3.
 * @example
 * ```ts
 * const logits = softCap(scope, linear(scope, x, head), 30)
 * ```
 */
export function softCap(scope: Scope, x: Tensor, cap: number): Tensor {
  checkCap('softCap', cap);
  const y = scope.tensor(x.shape, 'fp32', 'soft_cap');
  launch(scope, x, y, x.buffer, cap);
  remember(scope, 'softCap', x, y, cap);
  return y;
}

/**
 * `x ← cap · tanh(x / cap)`, in the buffer of x.
 *
 * @param x `[..., D]` fp32, contiguous
 * @returns x; on a tape that still needs x, a copy
 * @throws OptionError when cap is not positive and finite; ShapeError for a view.
 * @example
 * ```ts
 * softCapInPlace(scope, logits, 30)
 * ```
 */
export function softCapInPlace(scope: Scope, x: Tensor, cap: number): Tensor {
  checkCap('softCapInPlace', cap);
  requireContiguous('softCapInPlace', 'x', x);
  const y = scope.overwritable(x);
  launch(scope, y, y, undefined, cap);
  remember(scope, 'softCapInPlace', x, y, cap);
  return y;
}
