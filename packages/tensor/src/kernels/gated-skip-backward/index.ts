import { defineKernel, type Kernel } from '@xlstm/device';
import type { GradientTarget } from '../../gradient.ts';
import { accumulateFlag, requireContiguousGradient, requireGradient } from '../../gradient-checks.ts';
import { rowChunks } from '../../row-chunks.ts';
import type { Scope } from '../../scope.ts';
import { requireContiguous, requireShape, type Tensor } from '../../tensor.ts';
import { gatedSkipWeightBackwardKernel } from '../gated-skip-weight-backward/index.ts';
import { sumPartials } from '../sum-partials/index.ts';
import { gatedSkipBackwardReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { gatedSkipBackwardWebGpu } from './webgpu.ts';

export const gatedSkipBackwardKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'gated_skip_backward',
  bindings,
  params,
  webgpu: gatedSkipBackwardWebGpu,
  reference: gatedSkipBackwardReference,
});

/** What `gatedSkipBackward` takes: the inputs of `gatedSkip` and the gradient of its result. */
export interface GatedSkipBackwardInputs {
  /** `[..., D]` fp32, contiguous */
  h: Tensor;
  /** `[D]` fp32 */
  skip: Tensor;
  /** `[..., D]` fp32, contiguous */
  a: Tensor;
  /** `[..., D]` fp32, may be columns of a wider tensor */
  z: Tensor;
  /** `[..., D]` fp32, contiguous */
  dy: Tensor;
}

/** Where `gatedSkipBackward` puts what is wanted, each in a buffer of its own; all contiguous but dz. */
export interface GatedSkipBackwardTargets {
  /** `[..., D]` */
  dh?: GradientTarget | undefined;
  /** `[D]` */
  dskip?: GradientTarget | undefined;
  /** `[..., D]` */
  da?: GradientTarget | undefined;
  /** `[..., D]`, may be columns of a wider gradient */
  dz?: GradientTarget | undefined;
}

function elementwise(scope: Scope, inputs: GatedSkipBackwardInputs, targets: GatedSkipBackwardTargets): void {
  const { h, skip, a, z, dy } = inputs;
  const { dh, da, dz } = targets;
  if (!dh && !da && !dz) return;
  scope.device.launch(gatedSkipBackwardKernel, {
    buffers: {
      h: h.buffer,
      skip: skip.buffer,
      a: a.buffer,
      z: z.buffer,
      dy: dy.buffer,
      dh: dh?.tensor.buffer,
      da: da?.tensor.buffer,
      dz: dz?.tensor.buffer,
    },
    params: {
      rows: h.rows,
      D: h.cols,
      zOffset: z.offset,
      zStride: z.rowStride,
      dzOffset: dz?.tensor.offset ?? 0,
      dzStride: dz?.tensor.rowStride ?? 0,
      accumulateH: accumulateFlag(dh),
      accumulateA: accumulateFlag(da),
      accumulateZ: accumulateFlag(dz),
    },
  });
}

function overRows(scope: Scope, { a, z, dy }: GatedSkipBackwardInputs, dskip: GradientTarget | undefined): void {
  if (!dskip) return;
  const { chunk, parts } = rowChunks(a.rows);
  const partials = scope.tensor([parts, a.cols], 'fp32', 'skip_partials');
  scope.device.launch(gatedSkipWeightBackwardKernel, {
    buffers: { a: a.buffer, z: z.buffer, dy: dy.buffer, partials: partials.buffer },
    params: { rows: a.rows, D: a.cols, chunk, zOffset: z.offset, zStride: z.rowStride },
  });
  sumPartials(scope, partials, 0, dskip);
  scope.release(partials);
}

/**
 * Gradients of `gatedSkip`: with `g = dy · silu(z)`, `dh = g`, `da = g · skip`, `dz = dy · (h + skip · a) · silu'(z)` and
 * `dskip = Σ_rows g · a`.
 *
 * @param inputs h, a, z and dy `[..., D]`, skip `[D]`, all fp32
 * @param targets any of dh, da, dz `[..., D]` and dskip `[D]`; sums over rows are the same bits each time
 * @throws ShapeError when shapes differ or a tensor other than z and dz is a view; DtypeError for a gradient that is not
 * fp32; OptionError when two gradients share a buffer.
 * @example
 * ```ts
 * gatedSkipBackward(scope, { h, skip, a, z, dy }, { dh, dskip, da, dz })
 * ```
 */
export function gatedSkipBackward(
  scope: Scope,
  inputs: GatedSkipBackwardInputs,
  targets: GatedSkipBackwardTargets,
): void {
  const name = 'gatedSkipBackward';
  const { h, skip, a, z, dy } = inputs;
  requireContiguous(name, 'h', h);
  requireContiguous(name, 'skip', skip, [h.cols]);
  requireContiguous(name, 'a', a, h.shape);
  requireShape(name, 'z', z, h.shape);
  requireContiguous(name, 'dy', dy, h.shape);
  requireContiguousGradient(name, 'dh', targets.dh, h.shape);
  requireContiguousGradient(name, 'dskip', targets.dskip, [h.cols]);
  requireContiguousGradient(name, 'da', targets.da, h.shape);
  requireGradient(name, 'dz', targets.dz, h.shape);
  elementwise(scope, inputs, targets);
  overRows(scope, inputs, targets.dskip);
}
