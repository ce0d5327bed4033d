import type { Scope } from '../scope.ts';
import { elementCount, type Tensor } from '../tensor.ts';

/**
 * What tests of gradients share. References compute in float64 but name their views Float32Array: handing them
 * Float64Array keeps every intermediate in float64, so that central differences resolve what they should.
 */
export function doubles(length: number, value: (index: number) => number = () => 0): Float32Array {
  return Float64Array.from({ length }, (_, index) => value(index)) as unknown as Float32Array;
}

/** Σ a·b */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += a[index]! * b[index]!;
  return sum;
}

/**
 * The largest difference between `gradient` and the central differences of `loss` over each of `values`, as a share of
 * the largest difference quotient (of 1, if that is larger); Infinity where anything is NaN.
 */
export function gradientError(
  loss: () => number,
  values: Float32Array,
  gradient: ArrayLike<number>,
  step = 1e-5,
): number {
  if (gradient.length !== values.length) throw new RangeError(`gradientError: ${gradient.length} for ${values.length}`);
  let largest = 1;
  let worst = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    values[index] = value + step;
    const above = loss();
    values[index] = value - step;
    const below = loss();
    values[index] = value;
    const quotient = (above - below) / (2 * step);
    const error = Math.abs(quotient - gradient[index]!);
    if (!(error < Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY;
    largest = Math.max(largest, Math.abs(quotient));
    worst = Math.max(worst, error);
  }
  return worst / largest;
}

/** A contiguous fp32 tensor of a test: values of any precision, rounded and uploaded. */
export function uploaded(scope: Scope, shape: readonly number[], values: ArrayLike<number> | number): Tensor {
  const tensor = scope.tensor(shape, 'fp32', 'uploaded');
  const length = elementCount(shape);
  const value = (index: number) => (typeof values === 'number' ? values : values[index]!);
  scope.device.upload(
    tensor.buffer,
    Float32Array.from({ length }, (_, index) => value(index)),
  );
  return tensor;
}
