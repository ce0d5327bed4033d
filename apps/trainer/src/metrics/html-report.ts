import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError } from '@xlstm/device';
import { stringify } from 'yaml';
import { type CurvePoint, median, smoothed, smoothingReach } from './curve-points.ts';
import { escapeHtml } from './html-text.ts';
import { type Curve, lineChart } from './line-chart.ts';
import type { StepMetrics } from './metrics-log.ts';
import { REPORT_STYLE } from './report-style.ts';
import { shortCount, shortDuration, shortScientific } from './short-numbers.ts';

/** The file that a run's report is in. */
export const REPORT = 'report.html';
/** Evaluations whose samples are shown; of more, these many spread over the run. */
const SHOWN_EVALUATIONS = 40;

/** What a report tells of. */
export interface ReportContents {
  title: string;
  /** The resolved configuration: plain data, written as YAML. */
  config: unknown;
  metrics: readonly StepMetrics[];
  /** Of the model. */
  parameters: number;
  /** Where it was trained, in words. */
  device: string;
}

type Evaluation = StepMetrics & { validationLoss: number };

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function share(value: number): string {
  return `${(100 * value).toFixed(1)}%`;
}

function curve(metrics: readonly StepMetrics[], value: (metrics: StepMetrics) => number | undefined): CurvePoint[] {
  return metrics.flatMap((line) => {
    const found = value(line);
    // JSON has no NaN: what was one came back as null.
    return found === undefined ? [] : [{ step: line.step, value: found ?? Number.NaN }];
  });
}

function bestOf(metrics: readonly StepMetrics[]): Evaluation | undefined {
  const evaluations = metrics.filter((line): line is Evaluation => Number.isFinite(line.validationLoss));
  return evaluations.reduce<Evaluation | undefined>(
    (best, line) => (best && best.validationLoss <= line.validationLoss ? best : line),
    undefined,
  );
}

/** Seconds spent in steps: what evaluations and checkpoints took is not known. */
function secondsInSteps(metrics: readonly StepMetrics[]): number {
  return metrics.reduce((sum, { tokens, tokensPerSecond }, index) => {
    const seconds = (tokens - (metrics[index - 1]?.tokens ?? 0)) / tokensPerSecond;
    return Number.isFinite(seconds) && seconds > 0 ? sum + seconds : sum;
  }, 0);
}

/** Losses need digits while they fall, and more when they are small. */
function nats(value: number): string {
  return Math.abs(value) >= 0.1 || value === 0 ? value.toFixed(3) : shortScientific(value);
}

function tiles({ metrics, parameters }: ReportContents): string {
  const last = metrics.at(-1);
  const best = bestOf(metrics);
  const rate = median(metrics.map(({ tokensPerSecond }) => tokensPerSecond).filter(Number.isFinite));
  const losses = metrics.map(({ loss }) => loss).filter(Number.isFinite);
  const recent = losses.slice(-2 * smoothingReach(losses.length));
  const list: [string, string, string][] = [['parameters', shortCount(parameters), count(parameters)]];
  if (last) {
    list.push(['steps', count(last.step), `${shortCount(last.tokens)} tokens`]);
    list.push(['time', shortDuration(secondsInSteps(metrics)), 'in steps, without evaluations']);
  }
  if (rate !== undefined) list.push(['speed', shortCount(Math.round(rate)), 'tokens/s, median of the steps']);
  if (recent.length > 0) {
    const mean = recent.reduce((sum, loss) => sum + loss, 0) / recent.length;
    list.push(['training loss', nats(mean), `nats per token, last ${count(recent.length)} steps`]);
  }
  if (best) {
    const perplexity = Math.exp(best.validationLoss);
    const shown = perplexity < 1000 ? perplexity.toPrecision(4) : shortCount(perplexity);
    const note = `nats per token at step ${count(best.step)}, perplexity ${shown}`;
    list.push(['best validation loss', nats(best.validationLoss), note]);
  }
  const html = list.map(([name, value, note]) => {
    const small = note ? `<small>${escapeHtml(note)}</small>` : '';
    return `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}${small}</dd></div>`;
  });
  return `<dl>${html.join('')}</dl>`;
}

/** A curve that jumps from step to step, with a smooth one over it where there are points enough. */
function noisy(points: readonly CurvePoint[], label?: string): Curve[] {
  const color = 'var(--train)';
  if (points.length < 10) return [{ label: label ?? '', color, points, style: 'marked' }];
  return [
    { label: label ? `${label}, each step` : '', color, points, style: 'faint' },
    { label: label ? `${label}, smoothed` : '', color, points: smoothed(points), style: 'line' },
  ];
}

function lossCurves(metrics: readonly StepMetrics[]): Curve[] {
  const points = curve(metrics, ({ validationLoss }) => validationLoss);
  const training = noisy(
    curve(metrics, ({ loss }) => loss),
    'training',
  );
  const validation: Curve = { label: 'validation', color: 'var(--valid)', points, style: 'marked' };
  return points.length > 0 ? [...training, validation] : training;
}

function charts({ metrics }: ReportContents): string {
  const lastStep = metrics.at(-1)!.step;
  return `<div class="charts">${[
    lineChart({
      title: 'Loss',
      unit: 'nats per token',
      curves: lossCurves(metrics),
      lastStep,
      format: shortScientific,
      logarithmic: true,
      wide: true,
    }),
    lineChart({
      title: 'Learning rate',
      unit: '',
      curves: [{ label: '', color: 'var(--train)', points: curve(metrics, ({ lr }) => lr), style: 'line' }],
      lastStep,
      format: shortScientific,
      zero: true,
    }),
    lineChart({
      title: 'Gradient norm',
      unit: 'before clipping',
      curves: noisy(curve(metrics, ({ gradientNorm }) => gradientNorm)),
      lastStep,
      format: shortScientific,
      logarithmic: true,
    }),
    lineChart({
      title: 'Speed',
      unit: 'tokens/s',
      curves: noisy(curve(metrics, ({ tokensPerSecond }) => tokensPerSecond)),
      lastStep,
      format: shortCount,
      zero: true,
    }),
  ].join('\n')}</div>`;
}

/** By number where lengths are numbers or begin with one. */
function byLength(a: string, b: string): number {
  return Number.parseFloat(a) - Number.parseFloat(b) || (a < b ? -1 : 1);
}

function accuracy({ metrics }: ReportContents): string {
  const lengths = [...new Set(metrics.flatMap((line) => Object.keys(line.accuracy ?? {})))].sort(byLength);
  if (lengths.length === 0) return '';
  const curves = lengths.map((length, index): Curve => {
    const hue = Math.round(220 + (index * 300) / Math.max(lengths.length, 2)) % 360;
    const points = curve(metrics, (line) => line.accuracy?.[length]);
    return { label: length, color: `hsl(${hue} 65% 52%)`, points, style: 'marked' };
  });
  const rows = curves.map(({ label, points }) => {
    const last = points.at(-1)!;
    const best = points.reduce((most, point) => (point.value > most.value ? point : most));
    const cells = [share(last.value), share(best.value), count(best.step)];
    return `<tr><td>${escapeHtml(label)}</td>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  const chart = lineChart({
    title: 'Accuracy',
    unit: 'by length of the sequences, in tokens',
    curves,
    lastStep: metrics.at(-1)!.step,
    format: (value) => `${Number((100 * value).toFixed(1))}%`,
    zero: true,
    wide: true,
  });
  return `<h2>Accuracy</h2><div class="charts">${chart}</div>
<div class="table"><table><tr><th>length</th><th>last</th><th>best</th><th>at step</th></tr>${rows.join('')}</table></div>`;
}

function samplesOf({ step, samples, validationLoss }: StepMetrics): string {
  const loss = Number.isFinite(validationLoss) ? `, validation loss ${nats(validationLoss!)}` : '';
  const texts = (samples ?? []).map(
    ({ prompt, text }) => `<div class="sample"><b>${escapeHtml(prompt)}</b>${escapeHtml(text)}</div>`,
  );
  return `<h3>step ${count(step)}${loss}</h3>${texts.join('')}`;
}

function samples({ metrics }: ReportContents): string {
  const all = metrics.filter((line) => (line.samples?.length ?? 0) > 0).reverse();
  const [latest, ...earlier] = all;
  if (!latest) return '';
  const every = Math.ceil(earlier.length / SHOWN_EVALUATIONS);
  const shown = earlier.filter((_, index) => index % every === 0);
  const of = shown.length < earlier.length ? ` of ${count(earlier.length)}` : '';
  const more =
    shown.length > 0
      ? `<details><summary>earlier samples, from ${count(shown.length)}${of} evaluations</summary>${shown.map(samplesOf).join('')}</details>`
      : '';
  return `<h2>Samples</h2>${samplesOf(latest)}${more}`;
}

function page(contents: ReportContents): string {
  const { title, device, config, metrics } = contents;
  const broken = metrics.find(({ loss }) => !Number.isFinite(loss));
  const body =
    metrics.length === 0
      ? '<p class="warning">No step was done yet.</p>'
      : `${charts(contents)}\n${accuracy(contents)}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p>xLSTM, trained on ${escapeHtml(device)}</p>
${broken ? `<p class="warning">The loss was not a number at step ${count(broken.step)}.</p>` : ''}
${tiles(contents)}
${body}
${samples(contents)}
<h2>Configuration</h2>
<details open><summary>as resolved for this run</summary><pre>${escapeHtml(stringify(config, { lineWidth: 0 }))}</pre></details>
</body>
</html>
`;
}

/**
 * Writes a run's report, `<outDir>/report.html`: one HTML file that needs nothing beside it, with curves of losses, learning
 * rate, gradient norm and speed, accuracies and samples where there are any, and the configuration. The file appears
 * whole or not at all.
 *
 * @returns its path
 * @throws CheckpointError when it cannot be written; an earlier report is as it was.
 * @example
 * ```ts
 * await writeReport('runs/stories', { title: 'stories', config, metrics: await readMetrics('runs/stories'), parameters, device })
 * ```
 */
export async function writeReport(outDir: string, contents: ReportContents): Promise<string> {
  const path = join(outDir, REPORT);
  const temporary = `${path}.${process.pid}.tmp`;
  const html = page(contents);
  try {
    await mkdir(outDir, { recursive: true });
    const handle = await open(temporary, 'w');
    try {
      await handle.writeFile(html);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new CheckpointError(
      `train: cannot write the report ${path}: ${(cause as Error).message}; the model and its metrics are not touched, make room or set logger.report=false`,
      { cause },
    );
  }
  return path;
}
