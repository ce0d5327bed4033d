import { ShapeError } from '@xlstm/device';
import type { GradientTarget } from '../gradient.ts';
import { blockDiagonalLinearKernel } from '../kernels/block-diagonal-linear/index.ts';
import { requireBlocks } from '../kernels/block-diagonal-linear/shapes.ts';
import type { OperationGradients, Scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { blockDiagonalLinearBackward } from './block-diagonal-linear-backward.ts';

/** One block-diagonal projection: x `[..., NB*DI]`, weight `[NB, DO, DI]`, bias `[NB*DO]`, all fp32. */
export interface BlockDiagonalProjection {
  /** May be columns of a wider tensor. */
  x: Tensor;
  weight: Tensor;
  bias?: Tensor | undefined;
}

function columnsOf({ weight }: BlockDiagonalProjection): number {
  return weight.shape[0]! * weight.shape[1]!;
}

/** Targets of several tensors, of which some may be the same one: whoever comes later adds. */
function sharedTargets(
  gradients: OperationGradients,
  tensors: readonly (Tensor | undefined)[],
): (tensor: Tensor | undefined) => GradientTarget | undefined {
  const distinct = [...new Set(tensors)].filter((tensor) => tensor !== undefined);
  const targets = gradients.targets(...distinct);
  const byTensor = new Map(distinct.map((tensor, index) => [tensor, targets[index]]));
  return (tensor) => {
    const target = tensor && byTensor.get(tensor);
    if (tensor && target) byTensor.set(tensor, { tensor: target.tensor, accumulate: true });
    return target;
  };
}

/**
 * Several block-diagonal projections, side by side in one tensor: `y = [x₁·W₁ᵀ + b₁ | x₂·W₂ᵀ + b₂ | …]`, without a copy.
 * Take each with `columns`, or all of it as the input of a layer.
 *
 * @param projections each x `[..., NB*DI]`, weight `[NB, DO, DI]`, bias `[NB*DO]`; the same leading dimensions in all
 * @returns `[..., Σ NB*DO]` fp32, contiguous
 * @throws ShapeError when there is none, or shapes differ. Source: xLSTM (2405.04517), appendix on block structure.
 * @example
 * ```ts
 * const qkv = blockDiagonalLinears(scope, [{ x: conv, weight: q }, { x: conv, weight: k }, { x, weight: v }])
 * const gates = linear(scope, qkv, gateWeight, { bias })
 * ```
 */
export function blockDiagonalLinears(scope: Scope, projections: readonly BlockDiagonalProjection[]): Tensor {
  return project('blockDiagonalLinears', scope, projections);
}

function project(operation: string, scope: Scope, projections: readonly BlockDiagonalProjection[]): Tensor {
  const [one] = projections;
  if (!one) throw new ShapeError(`${operation}: needs at least one projection, got none`);
  const leading = one.x.shape.slice(0, -1);
  const sizes = projections.map(({ x, weight, bias }) => {
    if (x.shape.length !== leading.length + 1 || leading.some((size, axis) => size !== x.shape[axis])) {
      throw new ShapeError(`${operation}: all x must be [${leading}, ...], got [${x.shape}]`);
    }
    return requireBlocks(operation, x, weight, bias);
  });
  const columns = projections.reduce((sum, projection) => sum + columnsOf(projection), 0);
  const y = scope.tensor([...leading, columns], 'fp32', 'block_diagonal_linear');
  let first = 0;
  for (const [index, { x, weight, bias }] of projections.entries()) {
    const { NB, DO, DI } = sizes[index]!;
    scope.device.launch(blockDiagonalLinearKernel, {
      buffers: { x: x.buffer, weight: weight.buffer, bias: bias?.buffer, y: y.buffer },
      params: {
        rows: x.rows,
        NB,
        I: DI,
        O: DO,
        xOffset: x.offset,
        xStride: x.rowStride,
        yOffset: first,
        yStride: columns,
        transposed: 0,
        accumulate: 0,
      },
    });
    first += NB * DO;
  }
  const inputs = projections.flatMap(({ x, weight, bias }) => [x, weight, bias]);
  scope.record({
    name: operation,
    inputs,
    outputs: [y],
    saved: projections.flatMap(({ x, weight }) => [x, weight]),
    backward: (gradients) => {
      const dy = gradients.of(y)!;
      const target = sharedTargets(gradients, inputs);
      let start = 0;
      for (const projection of projections) {
        const { x, weight, bias } = projection;
        const own = dy.columns(start, columnsOf(projection));
        const targets = { dx: target(x), dweight: target(weight), dbias: target(bias) };
        blockDiagonalLinearBackward(gradients.scope, { x, weight, dy: own }, targets);
        start += columnsOf(projection);
      }
    },
  });
  return y;
}

/**
 * Linear layer in blocks: `y[b·DO + o] = bias[b·DO + o] + Σ_i weight[b, o, i] · x[b·DI + i]`, a head-wise linear layer where
 * a block is a head.
 *
 * @param x `[..., NB*DI]` fp32, may be columns of a wider tensor
 * @param weight `[NB, DO, DI]` fp32
 * @param options.bias `[NB*DO]` fp32
 * @returns `[..., NB*DO]` fp32, contiguous
 * @throws ShapeError when shapes differ. Source: xLSTM (2405.04517), appendix on block structure.
 * @example
 * ```ts
 * const q = blockDiagonalLinear(scope, conv, queryWeight)
 * ```
 */
export function blockDiagonalLinear(
  scope: Scope,
  x: Tensor,
  weight: Tensor,
  options: { bias?: Tensor | undefined } = {},
): Tensor {
  return project('blockDiagonalLinear', scope, [{ x, weight, bias: options.bias }]);
}
