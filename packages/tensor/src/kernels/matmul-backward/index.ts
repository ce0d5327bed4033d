import { type DeviceBuffer, defineKernel, type Kernel } from '@xlstm/device';
import { mixedProduct, multipliesMixed } from '../../ops/mixed-product.ts';
import type { Precision, Scope } from '../../scope.ts';
import { Tensor } from '../../tensor.ts';
import { addColumnSums } from '../column-sums/index.ts';
import { matmulBackwardReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { matmulBackwardWebGpu, TILE_C, TILE_R } from './webgpu.ts';

/** `y [R, C] (+)= a [R, inner] · b [inner, C]`, or `aᵀ · b`: both products of the backward of `linear`. */
export const matmulBackwardKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'matmul_backward',
  bindings,
  params,
  webgpu: matmulBackwardWebGpu,
  reference: matmulBackwardReference,
});

/** Workgroups that keep a large GPU busy; with fewer output tiles the sum is split. */
const BUSY = 384;
/** Terms that one part of a split sum has at least. */
const LEAST_TERMS = 256;

/**
 * Into how many parts the sum over `inner` is split, so that an output of few tiles keeps the device busy. A function of
 * the shape alone: the same sums everywhere. All parts together are fewer than 768 tiles, 24 MiB.
 */
export function splitsFor(R: number, C: number, inner: number): number {
  const tiles = Math.ceil(R / TILE_R) * Math.ceil(C / TILE_C);
  return Math.max(1, Math.min(Math.ceil(BUSY / tiles), Math.floor(inner / LEAST_TERMS)));
}

/** A product `y [R, C] (+)= op(a) · b [inner, C]` of a backward. */
export interface BackwardProduct {
  /** `[R, inner]`, or `[inner, R]` when `transposed`; fp32, may be columns of a wider tensor. */
  a: Tensor;
  transposed: boolean;
  /** Rows of C elements, fp32, fp16 or bf16, from element `bOffset` on. */
  b: DeviceBuffer;
  bOffset?: number;
  C: number;
  /** fp32, from element `yOffset` on. */
  y: DeviceBuffer;
  yOffset?: number;
  accumulate: boolean;
  /** `fp32` keeps it in float32 in a scope of mixed precision. */
  precision?: Precision | undefined;
}

/** Queues a product; operations check shapes before. Long sums of few outputs go through partial sums of the scope. */
export function backwardProduct(scope: Scope, product: BackwardProduct): void {
  const { a, transposed, b, bOffset = 0, C, y, yOffset = 0, accumulate } = product;
  const [R, inner] = transposed ? [a.cols, a.rows] : [a.rows, a.cols];
  if (multipliesMixed(scope, product.precision)) {
    const right = new Tensor(b, [inner, C], bOffset);
    const operands = { a, aAlongK: !transposed, b: right, bAlongK: false };
    if (mixedProduct(scope, { ...operands, y, yOffset, accumulate, scaleA: true })) return;
  }
  const splits = splitsFor(R, C, inner);
  const partial = splits > 1 ? scope.tensor([splits, R * C], 'fp32', 'matmul_backward partials') : undefined;
  // Whole steps of the kernel, so that only the last part ends within one.
  const innerPerSplit = partial ? Math.ceil(inner / splits / 16) * 16 : inner;
  const parts = Math.ceil(inner / innerPerSplit);
  scope.device.launch(matmulBackwardKernel, {
    buffers: { a: a.buffer, b, y: partial?.buffer ?? y },
    params: {
      R,
      C,
      inner,
      innerPerSplit,
      transposed: transposed ? 1 : 0,
      aOffset: a.offset,
      aStride: a.rowStride,
      bOffset,
      yOffset: partial ? 0 : yOffset,
      accumulate: accumulate && !partial ? 1 : 0,
    },
  });
  if (!partial) return;
  addColumnSums(scope, new Tensor(partial.buffer, [parts, R * C]), y, yOffset, accumulate);
  scope.release(partial);
}
