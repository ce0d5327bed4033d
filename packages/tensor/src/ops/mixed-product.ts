import type { Device, DeviceBuffer, Kernel } from '@xlstm/device';
import { addColumnSums } from '../kernels/column-sums/index.ts';
import { matmulMixedKernel } from '../kernels/matmul-mixed/index.ts';
import { roundToHalf } from '../kernels/round-to-half/index.ts';
import type { Scope } from '../scope.ts';
import { Tensor } from '../tensor.ts';

/**
 * Whether `device` multiplies in mixed precision: on subgroup matrices of fp16 with float32 sums. In Node, Dawn offers them
 * with the toggles `vulkan_enable_f16_on_nvidia` and `allow_unsafe_apis`.
 *
 * @example
 * ```ts
 * const scope = new Scope(arena, { precision: hasMixedProducts(device) ? 'mixed' : 'fp32' })
 * ```
 */
export function hasMixedProducts(device: Device): boolean {
  return device.kind === 'webgpu' && device.variants(matmulMixedKernel as unknown as Kernel).length > 0;
}

/** Whether products in this scope go through the mixed kernel where their shapes allow it. */
export function multipliesMixed(scope: Scope): boolean {
  return scope.precision === 'mixed' && hasMixedProducts(scope.device);
}

/** Output tiles that keep a large GPU busy; with fewer the sum is split. As in matmul-backward, of its own tile. */
const BUSY = 264;
const TILE = 128;
/** Terms that one part of a split sum has at least. */
const LEAST_TERMS = 512;

/** Fewer outputs than a square of 16 x 16 cannot be bound by the kernel. */
const LEAST_OUTPUTS = 256;

/** A product `y [M, N] (+)= op(a) · op(b) (+ bias)`. */
export interface MixedProduct {
  /** `[M, K]`, or `[K, M]` when `aAlongK` is false; fp32, may be columns of a wider tensor. */
  a: Tensor;
  aAlongK: boolean;
  /** `[N, K]`, or `[K, N]` when `bAlongK` is false; fp32, fp16 or bf16, rows one after another. */
  b: Tensor;
  bAlongK: boolean;
  bias?: DeviceBuffer | undefined;
  y: DeviceBuffer;
  yOffset?: number;
  accumulate: boolean;
  /** Whether a is scaled to its largest magnitude before it is rounded. */
  scaleA: boolean;
}

/** Whether the kernel can read b's rows as they lie, eight elements at a time; fp32 is rounded first and always can. */
function aligned({ b }: MixedProduct): boolean {
  return b.dtype === 'fp32' || (b.cols % 8 === 0 && b.offset % 8 === 0);
}

/**
 * Queues a product on subgroup matrices; false, and nothing queued, when its shape does not allow it. fp32 weights are
 * scaled to their largest magnitude, 16-bit ones are not.
 */
export function mixedProduct(scope: Scope, product: MixedProduct): boolean {
  const { a, aAlongK, b, bAlongK, bias, y, yOffset = 0, accumulate, scaleA } = product;
  const M = aAlongK ? a.rows : a.cols;
  const N = bAlongK ? b.rows : b.cols;
  const K = aAlongK ? a.cols : a.rows;
  if (M * N < LEAST_OUTPUTS || !aligned(product) || ((aAlongK || bAlongK) && K % 8 !== 0)) return false;
  if ((!aAlongK && M % 8 !== 0) || (!bAlongK && N % 8 !== 0)) return false;
  const left = roundToHalf(scope, a, scaleA);
  const right = b.dtype === 'fp32' ? roundToHalf(scope, b, true) : { half: b, max: undefined };
  const tiles = Math.ceil(M / TILE) * Math.ceil(N / TILE);
  const splits = M <= 64 || bias ? 1 : Math.max(1, Math.min(Math.ceil(BUSY / tiles), Math.floor(K / LEAST_TERMS)));
  const partial = splits > 1 ? scope.tensor([splits, M * N], 'fp32', 'matmul_mixed partials') : undefined;
  const kPerSplit = partial ? Math.ceil(K / splits / 32) * 32 : K;
  scope.device.launch(matmulMixedKernel, {
    buffers: {
      a: left.half.buffer,
      b: right.half.buffer,
      scales: undefined,
      aMax: left.max?.buffer,
      bMax: right.max?.buffer,
      bias,
      y: partial?.buffer ?? y,
    },
    params: {
      M,
      N,
      K,
      kPerSplit,
      aAlongK: aAlongK ? 1 : 0,
      aStride: left.half.cols,
      bAlongK: bAlongK ? 1 : 0,
      bOffset: right.half.offset,
      bStride: right.half.cols,
      yOffset: partial ? 0 : yOffset,
      yStride: N,
      accumulate: accumulate && !partial ? 1 : 0,
      group: 0,
      bits: 0,
    },
  });
  for (const { half, max } of [left, ...(b.dtype === 'fp32' ? [right] : [])]) {
    scope.release(half);
    if (max) scope.release(max);
  }
  if (partial) {
    const parts = Math.ceil(K / kPerSplit);
    addColumnSums(scope, new Tensor(partial.buffer, [parts, M * N]), y, yOffset, accumulate);
    scope.release(partial);
  }
  return true;
}
