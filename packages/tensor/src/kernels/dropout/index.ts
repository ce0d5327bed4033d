import { DtypeError, defineKernel, type Kernel, OptionError } from '@xlstm/device';
import type { GradientTarget } from '../../gradient.ts';
import { requireGradient } from '../../gradient-checks.ts';
import type { Scope } from '../../scope.ts';
import { requireContiguous, type Tensor } from '../../tensor.ts';
import { addTo, copyTo } from '../copy-columns/index.ts';
import { dropoutReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { dropoutWebGpu } from './webgpu.ts';

export const dropoutKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'dropout',
  bindings,
  params,
  webgpu: dropoutWebGpu,
  reference: dropoutReference,
});

/** Which elements are dropped. */
export interface DropoutOptions {
  /** The share that is dropped, in [0, 1). */
  p: number;
  /** `[2]` u32 on the device: seed and step. The same pair gives the same masks. */
  seed: Tensor;
  /** Tells the calls of one step apart: an unsigned integer of its own for each. */
  stream: number;
}

function check(operation: string, { p, seed, stream }: DropoutOptions): void {
  if (!(p >= 0 && p < 1)) {
    throw new OptionError(`${operation}: p must be in [0, 1), got ${p}; it is the share that is dropped`);
  }
  if (!Number.isInteger(stream) || stream < 0 || stream > 0xffffffff) {
    throw new OptionError(`${operation}: stream must be an unsigned 32-bit integer, got ${stream}`);
  }
  requireContiguous(operation, 'seed', seed, [2]);
  if (seed.dtype !== 'u32') throw new DtypeError(`${operation}: seed must be u32, got ${seed.dtype}`);
}

function launch(scope: Scope, x: Tensor, y: Tensor, { p, seed, stream }: DropoutOptions, accumulate: boolean): void {
  scope.device.launch(dropoutKernel, {
    buffers: { x: x.buffer, seed: seed.buffer, y: y.buffer },
    params: {
      rows: x.rows,
      D: x.cols,
      xOffset: x.offset,
      xStride: x.rowStride,
      yOffset: y.offset,
      yStride: y.rowStride,
      stream,
      // A p so close to 1 that it rounds to all words still keeps the last one.
      threshold: Math.min(0xffffffff, Math.round(p * 2 ** 32)),
      scale: Math.fround(1 / (1 - p)),
      accumulate: accumulate ? 1 : 0,
    },
  });
}

/**
 * Drops a share p of the elements and scales the others: `y = x · mask / (1 − p)`. The mask depends on seed, step, stream
 * and the element alone: every device draws the same, and so does a replay.
 *
 * @param x `[..., D]` fp32, may be columns of a wider tensor
 * @param options.p in [0, 1); with 0 nothing is launched
 * @param options.seed `[2]` u32: seed and step
 * @param options.stream an unsigned integer, another one for each call in a step
 * @returns `[..., D]` fp32, contiguous; x itself where p is 0
 * @throws OptionError when p or stream is out of range; ShapeError or DtypeError for another seed.
 * @example
 * ```ts
 * const y = dropout(scope, x, { p: 0.1, seed, stream: 2 * block })
 * ```
 */
export function dropout(scope: Scope, x: Tensor, options: DropoutOptions): Tensor {
  check('dropout', options);
  if (options.p === 0) return x;
  const y = scope.tensor(x.shape, 'fp32', 'dropout');
  launch(scope, x, y, options, false);
  scope.record({
    name: 'dropout',
    inputs: [x],
    outputs: [y],
    saved: [options.seed],
    backward: (gradients) => {
      dropoutBackward(gradients.scope, { ...options, dy: gradients.of(y)! }, { dx: gradients.target(x) });
    },
  });
  return y;
}

/**
 * Gradient of `dropout`, whose mask it draws again: `dx = dy · mask / (1 − p)`. Seed and step must be what they were.
 *
 * @param inputs dy `[..., D]` fp32, may be columns of a wider gradient, and the options of the forward
 * @param targets dx `[..., D]`, may be columns of a wider gradient
 * @throws OptionError when p or stream is out of range, or dx is in the buffer of dy; ShapeError when shapes differ;
 * DtypeError for a gradient that is not fp32.
 * @example
 * ```ts
 * dropoutBackward(scope, { dy, p: 0.1, seed, stream }, { dx: { tensor: dx, accumulate: true } })
 * ```
 */
export function dropoutBackward(
  scope: Scope,
  inputs: DropoutOptions & { dy: Tensor },
  { dx }: { dx?: GradientTarget | undefined },
): void {
  const { dy, p } = inputs;
  check('dropoutBackward', inputs);
  requireGradient('dropoutBackward', 'dx', dx, dy.shape);
  if (!dx) return;
  if (p > 0) launch(scope, dy, dx.tensor, inputs, dx.accumulate);
  else if (dx.accumulate) addTo(scope, dx.tensor, dy);
  else copyTo(scope, dx.tensor, dy);
}
