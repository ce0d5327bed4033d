import { DtypeError } from '@xlstm/device';
import type { GradientTarget } from './gradient.ts';
import { requireContiguous, requireShape } from './tensor.ts';

/** Throws unless a gradient's target, where there is one, is fp32 and of its input's shape; it may be a view. */
export function requireGradient(
  operation: string,
  name: string,
  target: GradientTarget | undefined,
  shape: readonly number[],
): void {
  if (!target) return;
  requireShape(operation, name, target.tensor, shape);
  if (target.tensor.dtype !== 'fp32') {
    throw new DtypeError(`${operation}: ${name} must be fp32, got ${target.tensor.dtype}; gradients are not rounded`);
  }
}

/** The same for a gradient that its kernel writes as one run, such as a weight's. */
export function requireContiguousGradient(
  operation: string,
  name: string,
  target: GradientTarget | undefined,
  shape: readonly number[],
): void {
  requireGradient(operation, name, target, shape);
  if (target) requireContiguous(operation, name, target.tensor);
}

/** The kernels' `accumulate` parameter: 1 adds to what is there, 0 replaces it. */
export function accumulateFlag(target: GradientTarget | undefined): number {
  return target?.accumulate ? 1 : 0;
}
