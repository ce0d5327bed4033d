import { compare, type Tolerance } from '@xlstm-tooling/kernel-harness';
import type { Measurement } from './record.ts';
import { MEMORY, STABILISER } from './tolerances.ts';

/** A measurement of something whose shape is not the expected one. */
export function shapeMismatch(actual: readonly number[], expected: readonly number[]): Measurement | undefined {
  if (actual.length === expected.length && expected.every((size, axis) => size === actual[axis])) return undefined;
  return failure(`expected shape [${expected}], got [${actual}]`);
}

/** A measurement of what could not be computed or compared. */
export function failure(message: string): Measurement {
  return { pass: false, relativeRms: Number.NaN, maxError: Number.NaN, share: Number.NaN, message };
}

/** Compares floats within a tolerance. NaN fails. */
export function measureFloats(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
): Measurement {
  if (actual.length !== expected.length) {
    return failure(`expected ${expected.length} elements, got ${actual.length}`);
  }
  const { pass, relativeRms, maxError, share, worst } = compare(actual, expected, tolerance);
  return {
    pass,
    relativeRms,
    maxError,
    share,
    ...(pass ? {} : { message: `worst element ${worst.index}: ${worst.actual} for ${worst.expected}` }),
  };
}

/** Compares floats in units of the largest expected element, so that `atol` is relative to it. */
export function measureScaled(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
): Measurement {
  let unit = 0;
  for (let at = 0; at < expected.length; at++) unit = Math.max(unit, Math.abs(expected[at]!));
  const scaled = (values: ArrayLike<number>) => Float64Array.from(values, (value) => value / (unit || 1));
  return measureFloats(scaled(actual), scaled(expected), tolerance);
}

/** Compares integers, which must be equal. */
export function measureIntegers(actual: readonly number[], expected: readonly number[]): Measurement {
  if (actual.length !== expected.length) {
    return failure(`expected ${expected.length} integers, got ${actual.length}`);
  }
  const first = expected.findIndex((value, index) => value !== actual[index]);
  if (first < 0) return { pass: true, relativeRms: 0, maxError: 0, share: 0 };
  let different = 0;
  let maxError = 0;
  let errors = 0;
  let squares = 0;
  for (const [index, value] of expected.entries()) {
    const error = Math.abs(actual[index]! - value);
    if (error !== 0) different++;
    maxError = Math.max(maxError, error);
    errors += error * error;
    squares += value * value;
  }
  return {
    pass: false,
    relativeRms: Math.sqrt(errors / squares),
    maxError,
    share: Number.POSITIVE_INFINITY,
    message: `${different} of ${expected.length} differ, the first at ${first}: ${actual[first]} for ${expected[first]}`,
  };
}

/** The memory of a cell: planes `c [heads, DHQK·DHHV]`, `n [heads, DHQK]`, `m [heads]`, heads counting the batch. */
export interface Memory {
  c: ArrayLike<number>;
  n: ArrayLike<number>;
  m: ArrayLike<number>;
}

/** Planes of both sides in units of the expected head's largest element, the actual ones under the expected m. */
function sameUnits(
  actual: ArrayLike<number>,
  actualM: ArrayLike<number>,
  expected: ArrayLike<number>,
  expectedM: ArrayLike<number>,
): { actual: Float64Array; expected: Float64Array; smallestUnit: number } {
  const heads = expectedM.length;
  const width = expected.length / heads;
  const scaled = { actual: new Float64Array(actual.length), expected: new Float64Array(expected.length) };
  let smallestUnit = Number.POSITIVE_INFINITY;
  for (let head = 0; head < heads; head++) {
    let unit = 0;
    for (let at = head * width; at < (head + 1) * width; at++) unit = Math.max(unit, Math.abs(expected[at]!));
    smallestUnit = Math.min(smallestUnit, unit);
    const divisor = unit || 1;
    const difference = actualM[head]! - expectedM[head]!;
    const factor = Math.exp(difference);
    for (let at = head * width; at < (head + 1) * width; at++) {
      // Nothing remembered is nothing under any m; 0 · exp(m) may be NaN.
      const value = actual[at] === 0 && !Number.isNaN(difference) ? 0 : actual[at]! * factor;
      scaled.actual[at] = value / divisor;
      scaled.expected[at] = expected[at]! / divisor;
    }
  }
  return { ...scaled, smallestUnit };
}

/**
 * Compares memories as what they stand for, c·exp(m) and n·exp(m), in float64 and relative to the largest element of
 * each head. m itself may differ where the stabiliser is chosen differently: then c and n decide about it.
 */
export function measureMemory(actual: Memory, expected: Memory): { c: Measurement; n: Measurement; m: Measurement } {
  for (const plane of ['c', 'n', 'm'] as const) {
    if (actual[plane].length !== expected[plane].length) {
      const failed = failure(
        `plane ${plane}: expected ${expected[plane].length} elements, got ${actual[plane].length}`,
      );
      return { c: failed, n: failed, m: failed };
    }
  }
  const c = sameUnits(actual.c, actual.m, expected.c, expected.m);
  const n = sameUnits(actual.n, actual.m, expected.n, expected.m);
  const planes = {
    c: measureFloats(c.actual, c.expected, MEMORY),
    n: measureFloats(n.actual, n.expected, MEMORY),
  };
  const m = measureFloats(actual.m, expected.m, STABILISER);
  // An empty memory says nothing of its m, which the readout sees all the same.
  if (m.pass || !planes.c.pass || !planes.n.pass || !(n.smallestUnit > 0)) return { ...planes, m };
  const share = Math.max(planes.c.share, planes.n.share);
  const message = 'the stabiliser is chosen differently; c·exp(m) and n·exp(m) agree';
  return { ...planes, m: { ...m, pass: true, share, message } };
}
