import type { Result } from './record.ts';

const HEADINGS = ['tensor', 'relative RMS', 'max error', 'budget used', ''] as const;

function scientific(value: number | null): string {
  return value === null || Number.isNaN(value) ? '–' : value === 0 ? '0' : value.toExponential(2);
}

/** A share of the budget in per cent; all beyond 1000 % is the same. */
function percent(share: number | null): string {
  if (share === null || Number.isNaN(share)) return '–';
  if (!(share <= 10)) return '> 1000 %';
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

/** A case on a device as a table: what was compared line by line, then what is not covered. */
export function resultTable(results: readonly Result[]): string {
  const [first] = results;
  if (!first) return '';
  const compared = results.filter(({ status }) => status !== 'notCovered');
  const open = results.filter(({ status }) => status === 'notCovered');
  const lines = [`${first.case} (${first.kind}) on ${first.device}`];
  if (compared.length > 0) {
    const rows = compared.map(({ tensor, relativeRms, maxError, share, status }) => [
      tensor,
      scientific(relativeRms),
      scientific(maxError),
      percent(share),
      status === 'passed' ? 'PASS' : 'FAIL',
    ]);
    const widths = HEADINGS.map((heading, column) =>
      Math.max(heading.length, ...rows.map((row) => row[column]!.length)),
    );
    for (const [index, row] of [HEADINGS, ...rows].entries()) {
      const cells = row.map((cell, column) =>
        column === 0 || column === 4 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      );
      const message = compared[index - 1]?.message;
      lines.push(`  ${cells.join('  ')}${message ? `  ${message}` : ''}`.trimEnd());
    }
  }
  if (open.length > 0) {
    const names = open.map(({ tensor, message }) => (message ? `${tensor} (${message})` : tensor));
    lines.push(`  not covered (${open.length}): ${names.join(', ')}`);
  }
  return `${lines.join('\n')}\n\n`;
}
