const UNITS = ['', 'k', 'M', 'G', 'T'];

/** A count in three digits: `511k`, `6.93M`, `128`. */
export function shortCount(count: number): string {
  if (!Number.isFinite(count)) return String(count);
  let value = Math.abs(count);
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 && Number.isInteger(value) ? 0 : value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${count < 0 ? '-' : ''}${value.toFixed(digits)}${UNITS[unit]}`;
}

/** A number in two significant digits, small ones as powers of ten: `9.8e-4`, `0.012`, `0.83`. */
export function shortScientific(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size < 0.01 || size >= 1e5) return value.toExponential(1).replace('.0e', 'e').replace('e+', 'e');
  return String(Number(value.toPrecision(size >= 1 ? 3 : 2)));
}

/** A stretch of time in its two largest units: `8s`, `2m13s`, `3h07m`, `2d04h`. */
export function shortDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '?';
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)}d${two(hours % 24)}h`;
}
