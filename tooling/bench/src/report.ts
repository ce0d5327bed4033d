import type { BenchResult } from '@xlstm-tooling/kernel-harness';
import type { Ceilings } from './ceilings.ts';

/** Where results go: a table for people, or a JSON object a line. */
export interface Report {
  ceilings: (device: string, ceilings: Ceilings) => void;
  result: (result: BenchResult) => void;
  skipped: (name: string, reason: string) => void;
}

type Write = (line: string) => void;

const share = (value: number | undefined, ceiling: number): number | undefined =>
  value === undefined ? undefined : value / ceiling;

/** One JSON object a line: `ceilings` first, then results with their shares, and what was skipped with its reason. */
export function jsonReport(write: Write): Report {
  let measured: Ceilings | undefined;
  return {
    ceilings(device, ceilings) {
      measured = ceilings;
      write(JSON.stringify({ ceilings, device }));
    },
    result(result) {
      const { columns, ...rest } = result;
      const shares = measured && {
        copyShare: share(rest.gigabytesPerSecond, measured.copyGigabytesPerSecond),
        fmaShare: share(rest.gigaflopsPerSecond, measured.fmaGigaflopsPerSecond),
      };
      write(JSON.stringify({ ...rest, ...shares, ...columns }));
    },
    skipped: (name, reason) => write(JSON.stringify({ name, skipped: reason })),
  };
}

function time(microseconds: number): string {
  if (microseconds < 1e3) return `${microseconds.toFixed(1)} µs`;
  return microseconds < 1e6 ? `${(microseconds / 1e3).toFixed(2)} ms` : `${(microseconds / 1e6).toFixed(2)} s`;
}

const number = (value: number | undefined): string =>
  value === undefined ? '–' : value >= 100 ? value.toFixed(0) : value.toPrecision(3);

const percent = (value: number | undefined): string => (value === undefined ? '–' : `${(100 * value).toFixed(0)} %`);

const WIDTHS = [58, 12, 10, 9, 7, 10, 7] as const;

function row(cells: readonly string[]): string {
  return cells
    .map((cell, index) => (index < 2 ? cell.padEnd(WIDTHS[index] ?? 0) : cell.padStart(WIDTHS[index] ?? 0)))
    .join(' ')
    .trimEnd();
}

/** Rows appear as they are measured, so widths are fixed. */
export function tableReport(write: Write): Report {
  let measured: Ceilings | undefined;
  return {
    ceilings(device, ceilings) {
      measured = ceilings;
      write(device);
      const mebibytes = ceilings.copyBytes / 2 ** 20;
      write(`  copy of ${mebibytes} MiB: ${number(ceilings.copyGigabytesPerSecond)} GB/s (read + written)`);
      write(`  float32 multiply-adds: ${number(ceilings.fmaGigaflopsPerSecond)} GFLOP/s`);
      write('');
      write(row(['', 'form', 'time', 'GB/s', 'of copy', 'GFLOP/s', 'of fma']));
    },
    result({ name, variant, microseconds, gigabytesPerSecond, gigaflopsPerSecond, columns }) {
      const cells = [
        name,
        variant ?? '',
        time(microseconds),
        number(gigabytesPerSecond),
        percent(measured && share(gigabytesPerSecond, measured.copyGigabytesPerSecond)),
        number(gigaflopsPerSecond),
        percent(measured && share(gigaflopsPerSecond, measured.fmaGigaflopsPerSecond)),
      ];
      const own = Object.entries(columns ?? {}).map(
        ([key, value]) => `${key} ${typeof value === 'number' ? number(value) : value}`,
      );
      write([row(cells), ...own].join('  '));
    },
    skipped: (name, reason) => write(`${name}: skipped: ${reason}`),
  };
}
