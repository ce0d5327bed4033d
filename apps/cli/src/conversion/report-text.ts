import { formatBytes, formatCount, formatMs, formatTable } from '../human-readable.ts';
import type { QualityReport } from './report.ts';
import type { ConversionReport } from './run-conversion.ts';

/** The report for people. */
export function conversionText(report: ConversionReport): string {
  const { shards, bytes, sourceBytes, dryRun } = report;
  const size = `${formatBytes(bytes)} (${formatCount(bytes)} bytes) in ${shards.length} file${shards.length === 1 ? '' : 's'}`;
  const rows: string[][] = [
    ['model', report.model],
    ['out', dryRun ? `${report.out} (nothing was written)` : report.out],
    ['dtype', report.group === null ? report.dtype : `${report.dtype}, groups of ${report.group}`],
    ['source', formatBytes(sourceBytes)],
    ['weights', size],
  ];
  if (report.fingerprint !== null) rows.push(['fingerprint', report.fingerprint]);
  if (report.verified) rows.push(['verified', 'every byte is what MODEL gives']);
  if (report.seconds !== null) rows.push(['took', formatMs(1000 * report.seconds)]);
  const sections = [formatTable(rows)];
  if (dryRun)
    sections.push(
      formatTable(
        shards.map((each) => [each.file, formatCount(each.bytes)]),
        [1],
      ),
    );
  if (report.quality) sections.push(qualityText(report.quality));
  return `${sections.join('\n\n')}\n`;
}

function qualityText({ tensors, text }: QualityReport): string {
  const rows = tensors.map(({ name, dtype, shape, relativeRms, max }) => [
    name,
    dtype,
    `[${shape.join(', ')}]`,
    `${(100 * relativeRms).toFixed(4)} %`,
    max.toExponential(2),
  ]);
  const table = formatTable([['tensor', 'dtype', 'shape', 'relative RMS', 'largest error'], ...rows], [3, 4]);
  if (!text) return table;
  const compared = formatTable([
    ['tokens', formatCount(text.tokens)],
    ['loss', `${text.loss.toFixed(5)} nats per token; ${text.sourceLoss.toFixed(5)} of MODEL`],
    ['KL', `${text.kl.toExponential(3)} nats per token, at most ${text.mostKl.toExponential(3)}`],
    ['same top', `${(100 * text.sameTop).toFixed(2)} % of positions`],
    ['computed', `in ${text.computedIn.result}, MODEL in ${text.computedIn.source}, on ${text.device}`],
  ]);
  return `${table}\n\n${compared}`;
}
