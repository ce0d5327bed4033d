import { DtypeError, isFloatDtype, OptionError, ShapeError } from '@xlstm/device';
import type { GradientTarget } from '../gradient.ts';
import { columnSums } from '../kernels/column-sums/index.ts';
import { backwardProduct } from '../kernels/matmul-backward/index.ts';
import type { Precision, Scope } from '../scope.ts';
import { requireContiguous, type Tensor } from '../tensor.ts';

/** What `linearBackward` reads. */
export interface LinearBackwardInputs {
  /** `[..., K]` fp32, contiguous: the input of `linear`. Needed for dweight only. */
  x?: Tensor | undefined;
  /** `[N, K]` fp32, fp16 or bf16, contiguous. Needed for dx only. */
  weight?: Tensor | undefined;
  /** `[..., N]` fp32, may be columns of a wider gradient. */
  dy: Tensor;
}

/** What `linearBackward` makes; what is left out is not computed. */
export interface LinearBackwardTargets {
  /** `[..., K]` */
  dx?: GradientTarget | undefined;
  /** `[N, K]` */
  dweight?: GradientTarget | undefined;
  /** `[N]` */
  dbias?: GradientTarget | undefined;
}

type Named = readonly (readonly [name: string, tensor: Tensor | undefined])[];

function requireFp32(tensors: Named): void {
  for (const [name, tensor] of tensors) {
    if (tensor && tensor.dtype !== 'fp32') {
      throw new DtypeError(`linearBackward: ${name} must be fp32, got ${tensor.dtype}; convert it first`);
    }
  }
}

function requireOwnBuffers(inputs: Named, targets: Named): void {
  for (const [name, target] of targets) {
    if (!target) continue;
    const [shared] = [...inputs, ...targets].find(([other, t]) => other !== name && t?.buffer === target.buffer) ?? [];
    if (shared) {
      throw new OptionError(
        `linearBackward: ${name} must have a buffer of its own, got that of ${shared} ("${target.buffer.label}"); allocate another`,
      );
    }
  }
}

function requireWeight(weight: Tensor, N: number): void {
  if (weight.shape.length !== 2 || weight.rows !== N) {
    throw new ShapeError(
      `linearBackward: weight must be [${N}, K] for dy [..., ${N}], got [${weight.shape}]; weights are stored output by input`,
    );
  }
  requireContiguous('linearBackward', 'weight', weight);
  if (!isFloatDtype(weight.dtype)) {
    throw new DtypeError(`linearBackward: weight must be fp32, fp16 or bf16, got ${weight.dtype}; convert it first`);
  }
}

/**
 * Gradients of `linear`: `dx (+)= dy · weight`, `dweight (+)= dyᵀ · x`, `dbias (+)= Σ rows of dy`.
 *
 * Deterministic: sums over many rows are split into parts that are added up in a second pass, without atomics.
 *
 * @param inputs.x `[..., K]` fp32, contiguous; for `dweight` only
 * @param inputs.weight `[N, K]` fp32, fp16 or bf16, contiguous; for `dx` only
 * @param inputs.dy `[..., N]` fp32, may be columns of a wider gradient
 * @param targets fp32, contiguous, each a buffer of its own: dx `[..., K]`, dweight `[N, K]`, dbias `[N]`
 * @param options.precision `fp32` keeps the products in float32 in a scope of mixed precision
 * @throws ShapeError when shapes differ, DtypeError for another dtype, OptionError for an input that a target needs and
 * that is not there, or when a target shares its buffer.
 * @example
 * ```ts
 * linearBackward(scope, { x, weight, dy }, { dx: { tensor: dx, accumulate: false }, dweight: { tensor: dw, accumulate: true } })
 * ```
 */
export function linearBackward(
  scope: Scope,
  inputs: LinearBackwardInputs,
  { dx, dweight, dbias }: LinearBackwardTargets,
  { precision }: { precision?: Precision | undefined } = {},
): void {
  const { x, weight, dy } = inputs;
  const N = dy.cols;
  const lead = dy.shape.slice(0, -1);
  if (dy.shape.length === 0 || N === 0) {
    throw new ShapeError(`linearBackward: dy must be [..., N] with N >= 1, got [${dy.shape}]`);
  }
  if (dx && !weight) throw new OptionError('linearBackward: dx needs weight; pass it');
  if (dweight && !x) throw new OptionError('linearBackward: dweight needs x; pass it');
  if (weight) requireWeight(weight, N);
  const K = weight?.cols ?? x?.cols ?? 0;
  if ((dx || dweight) && K === 0) {
    throw new ShapeError('linearBackward: K must be at least 1, got 0; there is nothing to differentiate');
  }
  if (x) requireContiguous('linearBackward', 'x', x, [...lead, K]);
  if (dx) requireContiguous('linearBackward', 'dx', dx.tensor, [...lead, K]);
  if (dweight) requireContiguous('linearBackward', 'dweight', dweight.tensor, [N, K]);
  if (dbias) requireContiguous('linearBackward', 'dbias', dbias.tensor, [N]);
  const targets: Named = [
    ['dx', dx?.tensor],
    ['dweight', dweight?.tensor],
    ['dbias', dbias?.tensor],
  ];
  const read: Named = [
    ['x', x],
    ['dy', dy],
  ];
  requireFp32([...read, ...targets]);
  requireOwnBuffers([...read, ['weight', weight]], targets);

  if (dbias) columnSums(scope, dy, dbias);
  if (dy.rows === 0) {
    if (dweight && !dweight.accumulate) scope.device.clear(dweight.tensor.buffer);
    return;
  }
  if (dx && weight) {
    backwardProduct(scope, {
      a: dy,
      transposed: false,
      b: weight.buffer,
      C: K,
      y: dx.tensor.buffer,
      accumulate: dx.accumulate,
      precision,
    });
  }
  if (dweight && x) {
    backwardProduct(scope, {
      a: dy,
      transposed: true,
      b: x.buffer,
      C: K,
      y: dweight.tensor.buffer,
      accumulate: dweight.accumulate,
      precision,
    });
  }
}
