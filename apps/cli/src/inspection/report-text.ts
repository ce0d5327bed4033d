import { formatBytes, formatCount, formatTable } from '../human-readable.ts';
import { modelLabel } from '../installed.ts';
import type { ModelReport } from './inspect-model.ts';

const FORMATS = { huggingface: 'Hugging Face layout', native: 'layout of the reference implementation' };

function section(title: string, body: string): string {
  return `${title}\n${body.replace(/^/gm, '  ')}`;
}

function configTable(report: ModelReport): string {
  const entries = Object.entries({ ...report.config, ...report.dims });
  return formatTable(
    entries.map(([name, value]) => [
      name,
      value === undefined ? 'none' : Array.isArray(value) ? `[${value}]` : `${value}`,
    ]),
  );
}

function verdict(report: ModelReport): string {
  if (report.agrees && report.problems.length === 0) {
    const rest = report.unused.length > 0 ? `; not used: ${report.unused.join(', ')}` : '';
    return `configuration and tensors agree${rest}`;
  }
  return report.agrees
    ? 'configuration and tensors agree, but see the problems'
    : 'not usable as it is; see the problems';
}

function quantizedRows({ quantization, tensors }: ModelReport): string[][] {
  if (!quantization) return [];
  const { dtype, group, fingerprint, matrices } = quantization;
  const others = tensors.filter((tensor) => tensor.dtype === 'q8' && dtype === 'q4').length;
  const counts = `${matrices - others} matrices in ${dtype}${others > 0 ? ` and ${others} in q8` : ''}`;
  return [['quantised', `${counts}, groups of ${group}, of model ${fingerprint}`]];
}

/** The report for people. Problems are not in it. */
export function reportText(report: ModelReport): string {
  const { tokenizer, memory } = report;
  const stored = Object.entries(report.bytesByDtype)
    .map(([dtype, bytes]) => `${dtype} ${formatBytes(bytes)}`)
    .join(', ');
  const summary = formatTable([
    ['model', modelLabel(report.model)],
    ['format', report.format ? FORMATS[report.format] : 'unknown'],
    [
      'tokenizer',
      tokenizer
        ? `${tokenizer.kind === 'bytes' ? 'bytes (no tokenizer.json)' : tokenizer.kind}, ${formatCount(tokenizer.vocabSize)} ids, BOS ${tokenizer.bosId ?? 'none'}, EOS ${tokenizer.eosIds.join(' ') || 'none'}`
        : report.files.some(({ name }) => name === 'tokenizer.json')
          ? 'unknown'
          : 'none (no tokenizer.json)',
    ],
    ['parameters', `${formatCount(report.parameters)} in ${report.tensors.length} tensors (${stored || 'none'})`],
    ...quantizedRows(report),
    ['on disk', `${formatBytes(report.bytesOnDisk)} in ${report.files.length} files`],
    ['check', verdict(report)],
  ]);
  const sections = [summary];
  if (report.config) sections.push(section('config', configTable(report)));
  if (memory) {
    const rows = Object.entries(memory).map(([dtype, { weights, state, total }]) => [
      dtype,
      formatBytes(weights),
      formatBytes(state),
      formatBytes(total),
    ]);
    const title = report.agrees ? 'memory' : 'memory, going by the configuration';
    sections.push(section(title, formatTable([['dtype', 'weights', 'state', 'total'], ...rows], [1, 2, 3])));
  }
  const files = report.files.map(({ name, bytes }) => [name, formatBytes(bytes)]);
  sections.push(section('files', files.length > 0 ? formatTable(files, [1]) : 'none'));
  if (report.tensors.length > 0) {
    const rows = report.tensors.map(({ name, dtype, shape, bytes, file }) => [
      name,
      dtype,
      `[${shape.join(', ')}]`,
      formatBytes(bytes),
      file,
    ]);
    sections.push(section('tensors', formatTable(rows, [3])));
  }
  return `${sections.join('\n\n')}\n`;
}
