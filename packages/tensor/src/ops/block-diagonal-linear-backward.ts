import type { GradientTarget } from '../gradient.ts';
import { accumulateFlag, requireContiguousGradient, requireGradient } from '../gradient-checks.ts';
import { blockDiagonalLinearKernel } from '../kernels/block-diagonal-linear/index.ts';
import { requireBlocks } from '../kernels/block-diagonal-linear/shapes.ts';
import { blockDiagonalWeightBackwardKernel } from '../kernels/block-diagonal-weight-backward/index.ts';
import { sumPartials } from '../kernels/sum-partials/index.ts';
import { rowChunks } from '../row-chunks.ts';
import type { Scope } from '../scope.ts';
import { requireShape, type Tensor } from '../tensor.ts';

/** Values of all partial sums together at most: 16 MiB. */
const MOST_PARTIALS = 2 ** 22;

/** What `blockDiagonalLinearBackward` takes: the inputs of `blockDiagonalLinear` and the gradient of its result. */
export interface BlockDiagonalLinearBackwardInputs {
  /** `[..., NB*DI]` fp32, may be columns of a wider tensor */
  x: Tensor;
  /** `[NB, DO, DI]` fp32 */
  weight: Tensor;
  /** `[..., NB*DO]` fp32, may be columns of a wider gradient */
  dy: Tensor;
}

/** Where `blockDiagonalLinearBackward` puts what is wanted. */
export interface BlockDiagonalLinearBackwardTargets {
  /** `[..., NB*DI]`, may be columns of a wider gradient */
  dx?: GradientTarget | undefined;
  /** `[NB, DO, DI]` */
  dweight?: GradientTarget | undefined;
  /** `[NB*DO]` */
  dbias?: GradientTarget | undefined;
}

/**
 * Gradients of `blockDiagonalLinear`: `dx[b·DI + i] = Σ_o weight[b, o, i] · dy[b·DO + o]`,
 * `dweight[b, o, i] = Σ_rows dy[b·DO + o] · x[b·DI + i]`, `dbias = Σ_rows dy`.
 *
 * @param inputs x `[..., NB*DI]`, weight `[NB, DO, DI]`, dy `[..., NB*DO]`, all fp32
 * @param targets any of dx `[..., NB*DI]`, dweight `[NB, DO, DI]`, dbias `[NB*DO]`; sums over rows are the same bits each
 * time
 * @throws ShapeError when shapes differ; DtypeError for a gradient that is not fp32.
 * @example
 * ```ts
 * blockDiagonalLinearBackward(scope, { x, weight, dy: dqkv.columns(0, D) }, { dx, dweight })
 * ```
 */
export function blockDiagonalLinearBackward(
  scope: Scope,
  { x, weight, dy }: BlockDiagonalLinearBackwardInputs,
  { dx, dweight, dbias }: BlockDiagonalLinearBackwardTargets,
): void {
  const name = 'blockDiagonalLinearBackward';
  const { NB, DO, DI } = requireBlocks(name, x, weight);
  requireShape(name, 'dy', dy, [...x.shape.slice(0, -1), NB * DO]);
  requireGradient(name, 'dx', dx, x.shape);
  requireContiguousGradient(name, 'dweight', dweight, weight.shape);
  requireContiguousGradient(name, 'dbias', dbias, [NB * DO]);
  if (dx) {
    scope.device.launch(blockDiagonalLinearKernel, {
      buffers: { x: dy.buffer, weight: weight.buffer, bias: undefined, y: dx.tensor.buffer },
      params: {
        rows: x.rows,
        NB,
        I: DO,
        O: DI,
        xOffset: dy.offset,
        xStride: dy.rowStride,
        yOffset: dx.tensor.offset,
        yStride: dx.tensor.rowStride,
        transposed: 1,
        accumulate: accumulateFlag(dx),
      },
    });
  }
  if (!dweight && !dbias) return;
  const width = NB * DO * DI + NB * DO;
  const { chunk, parts } = rowChunks(x.rows, Math.floor(MOST_PARTIALS / width));
  const partials = scope.tensor([parts, width], 'fp32', 'block_diagonal_partials');
  scope.device.launch(blockDiagonalWeightBackwardKernel, {
    buffers: { x: x.buffer, dy: dy.buffer, partials: partials.buffer },
    params: {
      rows: x.rows,
      NB,
      DI,
      DO,
      chunk,
      xOffset: x.offset,
      xStride: x.rowStride,
      dyOffset: dy.offset,
      dyStride: dy.rowStride,
    },
  });
  sumPartials(scope, partials, 0, dweight);
  sumPartials(scope, partials, NB * DO * DI, dbias);
  scope.release(partials);
}
