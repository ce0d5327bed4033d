/** How far an output may be from its reference. Both bounds hold; both are written so that NaN fails. */
export interface Tolerance {
  /** ‖actual − expected‖ / ‖expected‖ at most. */
  relativeRms: number;
  /** Every element: |actual − expected| <= atol + rtol·|expected|. */
  atol: number;
  rtol: number;
  /** Why, when the bound is loose. */
  reason?: string;
}

/** What float32 arithmetic over a few hundred terms can be held to. */
export const FLOAT32: Tolerance = { relativeRms: 2e-6, atol: 2e-6, rtol: 2e-5 };

/** The outcome of a comparison. A share of 1 is all of the budget. */
export interface Comparison {
  pass: boolean;
  relativeRms: number;
  maxError: number;
  /** The larger of the two bounds' used shares. */
  share: number;
  worst: { index: number; actual: number; expected: number };
}

/** Compares element by element and as a whole. Lengths must agree. An output that should be zero is held to atol. */
export function compare(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: Tolerance): Comparison {
  if (actual.length !== expected.length) {
    throw new RangeError(`compare: ${actual.length} elements against ${expected.length}`);
  }
  let errorSum = 0;
  let referenceSum = 0;
  let maxError = 0;
  let share = 0;
  let worst = { index: 0, actual: actual[0] ?? 0, expected: expected[0] ?? 0 };
  for (let index = 0; index < expected.length; index++) {
    const reference = expected[index]!;
    const value = actual[index]!;
    // Equal infinities differ by NaN; they are equal.
    const error = value === reference ? 0 : Math.abs(value - reference);
    errorSum += error * error;
    if (Number.isFinite(reference)) referenceSum += reference * reference;
    const used = error / (tolerance.atol + tolerance.rtol * Math.abs(reference));
    const bad = !(error <= tolerance.atol + tolerance.rtol * Math.abs(reference));
    if (bad && !(used > 1)) share = Number.POSITIVE_INFINITY;
    if (used > share || (bad && Number.isNaN(used))) {
      share = Number.isNaN(used) ? Number.POSITIVE_INFINITY : used;
      worst = { index, actual: value, expected: reference };
    }
    if (!(error <= maxError)) maxError = error;
  }
  const relativeRms = errorSum === 0 ? 0 : Math.sqrt(errorSum) / Math.sqrt(referenceSum);
  // Where the reference is all zeros, only the absolute bound speaks.
  const rmsShare = referenceSum === 0 ? 0 : relativeRms / tolerance.relativeRms;
  const total = Number.isNaN(rmsShare) ? Number.POSITIVE_INFINITY : Math.max(share, rmsShare);
  return { pass: total <= 1, relativeRms, maxError, share: total, worst };
}
