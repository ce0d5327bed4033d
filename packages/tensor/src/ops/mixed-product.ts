import {
  type Device,
  type DeviceBuffer,
  isQuantizedDtype,
  type Kernel,
  quantizedBits,
  type WeightDtype,
} from '@xlstm/device';
import { addColumnSums } from '../kernels/column-sums/index.ts';
import { matmulMixedKernel } from '../kernels/matmul-mixed/index.ts';
import { type HalfTensor, roundToHalf } from '../kernels/round-to-half/index.ts';
import type { Precision, Scope } from '../scope.ts';
import { Tensor } from '../tensor.ts';
import type { WeightMatrix } from '../weight-matrix.ts';

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

/** Whether products of `precision`, the scope's own by default, go through the mixed kernel where their shapes allow it. */
export function multipliesMixed(scope: Scope, precision: Precision = scope.precision): boolean {
  return precision === 'mixed' && scope.precision === 'mixed' && hasMixedProducts(scope.device);
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
  /**
   * `[N, K]`, or `[K, N]` when `bAlongK` is false; fp32, fp16 or bf16, rows one after another. A matrix is `[N, K]` and may
   * be quantised and in parts, of which each makes its own columns of y.
   */
  b: Tensor | WeightMatrix;
  bAlongK: boolean;
  /** `[N]`. */
  bias?: DeviceBuffer | undefined;
  y: DeviceBuffer;
  yOffset?: number;
  accumulate: boolean;
  /** Whether a is scaled to its largest magnitude before it is rounded. */
  scaleA: boolean;
}

/** Rows of b that lie one after another in a buffer; of a matrix those that make columns of y from `column` on. */
interface Piece {
  buffer: DeviceBuffer;
  dtype: WeightDtype;
  /** First element. */
  offset: number;
  rows: number;
  cols: number;
  scales: DeviceBuffer | undefined;
  /** 0 unless quantised. */
  group: number;
  column: number;
}

function piecesOf(b: Tensor | WeightMatrix): readonly Piece[] {
  if (b instanceof Tensor) {
    const { buffer, offset, rows, cols } = b;
    return [{ buffer, dtype: b.dtype as WeightDtype, offset, rows, cols, scales: undefined, group: 0, column: 0 }];
  }
  const { dtype, group } = b;
  const cols = b.shape[1];
  return b.parts.flatMap((part) =>
    b.runs(part).map(({ partRow, row, rows }): Piece => {
      return { buffer: part.data, dtype, offset: partRow * cols, rows, cols, scales: part.scales, group, column: row };
    }),
  );
}

/** Whether the kernel can read the rows as they lie, eight elements at a time; fp32 is rounded first and always can. */
function aligned({ dtype, cols, offset, group }: Piece): boolean {
  return dtype === 'fp32' || (cols % 8 === 0 && offset % 8 === 0 && group % 8 === 0);
}

/**
 * Queues a product on subgroup matrices, of a matrix in parts one for each run of rows; false, and nothing queued, when its
 * shape does not allow it. fp32 weights are scaled to their largest magnitude, others are not.
 */
export function mixedProduct(scope: Scope, product: MixedProduct): boolean {
  const { a, aAlongK, b, bAlongK } = product;
  const pieces = piecesOf(b);
  const M = aAlongK ? a.rows : a.cols;
  const K = aAlongK ? a.cols : a.rows;
  const columns = (piece: Piece) => (bAlongK ? piece.rows : piece.cols);
  const N = pieces.reduce((sum, piece) => sum + columns(piece), 0);
  if (!pieces.every((piece) => M * columns(piece) >= LEAST_OUTPUTS && aligned(piece))) return false;
  if ((aAlongK || bAlongK) && K % 8 !== 0) return false;
  if ((!aAlongK && M % 8 !== 0) || (!bAlongK && N % 8 !== 0)) return false;
  const left = roundToHalf(scope, a, product.scaleA);
  for (const piece of pieces) launchPiece(scope, product, { M, N: columns(piece), K, yStride: N }, left, piece);
  releaseHalf(scope, left);
  return true;
}

function releaseHalf(scope: Scope, { half, max }: HalfTensor): void {
  scope.release(half);
  if (max) scope.release(max);
}

/** Queues the columns of y that a piece of b makes. */
function launchPiece(
  scope: Scope,
  { aAlongK, bAlongK, bias, y, yOffset = 0, accumulate }: MixedProduct,
  { M, N, K, yStride }: { M: number; N: number; K: number; yStride: number },
  left: HalfTensor,
  { buffer, dtype, offset, rows, cols, scales, group, column }: Piece,
): void {
  const rounded = dtype === 'fp32' ? roundToHalf(scope, new Tensor(buffer, [rows, cols], offset), true) : undefined;
  const tiles = Math.ceil(M / TILE) * Math.ceil(N / TILE);
  const whole = N === yStride;
  const splits =
    M <= 64 || bias || !whole ? 1 : Math.max(1, Math.min(Math.ceil(BUSY / tiles), Math.floor(K / LEAST_TERMS)));
  const partial = splits > 1 ? scope.tensor([splits, M * N], 'fp32', 'matmul_mixed partials') : undefined;
  const kPerSplit = partial ? Math.ceil(K / splits / 32) * 32 : K;
  scope.device.launch(matmulMixedKernel, {
    buffers: {
      a: left.half.buffer,
      b: rounded?.half.buffer ?? buffer,
      scales,
      aMax: left.max?.buffer,
      bMax: rounded?.max?.buffer,
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
      bOffset: rounded ? 0 : offset,
      bStride: rounded?.half.cols ?? cols,
      biasOffset: column,
      yOffset: partial ? 0 : yOffset + column,
      yStride,
      accumulate: accumulate && !partial ? 1 : 0,
      group,
      bits: isQuantizedDtype(dtype) ? quantizedBits(dtype) : 0,
    },
  });
  if (rounded) releaseHalf(scope, rounded);
  if (!partial) return;
  const parts = Math.ceil(K / kPerSplit);
  addColumnSums(scope, new Tensor(partial.buffer, [parts, M * N]), y, yOffset, accumulate);
  scope.release(partial);
}
