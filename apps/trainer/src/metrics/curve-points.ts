/** A point of a curve; a value that is not finite is a gap. */
export interface CurvePoint {
  step: number;
  value: number;
}

/** Smoothed curves have about so many points. */
const SMOOTH_POINTS = 400;

/** Of so many points, how many one smoothed value is drawn from on each side. */
export function smoothingReach(points: number): number {
  return Math.max(2, Math.floor(points / 80));
}

/**
 * Running medians: of each point, those before it and as many after it, so that the curve neither lags nor follows a
 * single step that was slow or went wrong. At the beginning, where losses fall fast, of fewer. At most about 400 points.
 */
export function smoothed(points: readonly CurvePoint[]): CurvePoint[] {
  const finite = points.filter(({ value }) => Number.isFinite(value));
  const reach = smoothingReach(finite.length);
  const every = Math.ceil(finite.length / SMOOTH_POINTS);
  return finite.flatMap(({ step }, index) => {
    if (index % every !== 0 && index !== finite.length - 1) return [];
    const near = Math.min(reach, index);
    const values = finite.slice(index - near, index + near + 1).map(({ value }) => value);
    return [{ step, value: median(values)! }];
  });
}

/** The middle of the values, the mean of both where two are; undefined when there are none. */
export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

/** At most about `count` points: of each stretch the lowest, the highest and whatever is not finite, in their order. */
export function thinned(points: readonly CurvePoint[], count = 800): CurvePoint[] {
  if (points.length <= count) return [...points];
  const size = Math.ceil((2 * points.length) / count);
  const kept: CurvePoint[] = [];
  for (let start = 0; start < points.length; start += size) {
    let low: CurvePoint | undefined;
    let high: CurvePoint | undefined;
    let gap: CurvePoint | undefined;
    for (const point of points.slice(start, start + size)) {
      if (!Number.isFinite(point.value)) gap ??= point;
      else {
        if (!low || point.value < low.value) low = point;
        if (!high || point.value > high.value) high = point;
      }
    }
    const found = [...new Set([low, high, gap])].filter((point) => point !== undefined);
    kept.push(...found.sort((a, b) => a.step - b.step));
  }
  return kept;
}
