/** How numbers become places along an axis, and which of them are written on it. */
export interface Axis {
  ticks: readonly number[];
  /** 0 at the axis's beginning, 1 at its end. */
  at(value: number): number;
}

/** Numbers that differ by more than this factor are drawn by their logarithms, where all are positive. */
const WIDE = 100;

/** 1, 2 or 5 times a power of ten, the smallest that is at least `size`. */
function roundUp(size: number): number {
  const power = 10 ** Math.floor(Math.log10(size));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= size * (1 - 1e-9))!;
}

/** Binary fractions off a decimal step, as in 0.30000000000000004, are not wanted on labels. */
function multiple(count: number, step: number): number {
  return Number((count * step).toPrecision(12));
}

function linearAxis(low: number, high: number, wanted: number): Axis {
  const spread = high - low || Math.abs(high) || 1;
  const step = roundUp(spread / wanted);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => multiple(first + index, step));
  return { ticks, at: (value) => (value - first * step) / ((last - first) * step) };
}

function logAxis(low: number, high: number): Axis {
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(high) - 1e-9));
  const every = Math.ceil((last - first) / 6);
  const ticks: number[] = [];
  for (let power = first; power <= last; power += every) ticks.push(Number(`1e${power}`));
  return { ticks, at: (value) => (Math.log10(value) - first) / (last - first) };
}

/** An axis for these values: with round ticks at both ends, from 0 where asked, logarithmic where they differ widely. */
export function valueAxis(values: Iterable<number>, options: { zero?: boolean; logarithmic?: boolean } = {}): Axis {
  let low = options.zero ? 0 : Number.POSITIVE_INFINITY;
  let high = options.zero ? 0 : Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) [low, high] = [0, 1];
  return options.logarithmic && low > 0 && high / low >= WIDE ? logAxis(low, high) : linearAxis(low, high, 4);
}

/** An axis of steps from 0 to the last one, which need not be round. */
export function stepAxis(last: number): Axis {
  const end = Math.max(1, last);
  const step = Math.max(1, roundUp(end / 5));
  const ticks = Array.from({ length: Math.floor(end / step) + 1 }, (_, index) => index * step);
  return { ticks, at: (value) => value / end };
}
