import { type Axis, stepAxis, valueAxis } from './chart-axis.ts';
import { type CurvePoint, thinned } from './curve-points.ts';
import { escapeHtml } from './html-text.ts';

/** One curve. */
export interface Curve {
  label: string;
  /** A CSS colour. */
  color: string;
  points: readonly CurvePoint[];
  /** `faint` for what another curve smooths; `marked` for a few points worth a dot each. */
  style: 'line' | 'faint' | 'marked';
}

/** A chart of curves over training steps. */
export interface LineChart {
  title: string;
  unit: string;
  curves: readonly Curve[];
  lastStep: number;
  /** A value as the axis and the dots' tooltips write it. */
  format: (value: number) => string;
  zero?: boolean;
  logarithmic?: boolean;
  wide?: boolean;
}

/** The drawing is stretched to its box, so its own units mean nothing; lines keep their width. */
const SIZE = 1000;

function place(share: number): string {
  return String(Math.round(share * SIZE * 10) / 10);
}

function percent(share: number): string {
  return `${Math.round(share * 10_000) / 100}%`;
}

function path(points: readonly CurvePoint[], x: Axis, y: Axis): string {
  let drawing = false;
  let d = '';
  for (const { step, value } of points) {
    const finite = Number.isFinite(value);
    // A point between two gaps would be no line, so every stretch begins with one of no length.
    if (finite) {
      const to = `${place(x.at(step))} ${place(1 - y.at(value))}`;
      d += drawing ? `L${to}` : `M${to}h0L${to}`;
    }
    drawing = finite;
  }
  return d;
}

function drawing(curve: Curve, x: Axis, y: Axis, format: LineChart['format']): string {
  const color = `style="stroke:${escapeHtml(curve.color)}"`;
  const line = `<path class="${curve.style}" ${color} d="${path(thinned(curve.points), x, y)}"/>`;
  if (curve.style !== 'marked') return line;
  const dots = curve.points
    .filter(({ value }) => Number.isFinite(value))
    .map(({ step, value }) => {
      const title = `${curve.label ? `${escapeHtml(curve.label)}, ` : ''}step ${step.toLocaleString('en-US')}: ${escapeHtml(format(value))}`;
      return `<path class="dot" ${color} d="M${place(x.at(step))} ${place(1 - y.at(value))}h0"><title>${title}</title></path>`;
    });
  return `${line}${dots.length <= 200 ? dots.join('') : ''}`;
}

/** What a chart shows, for those who cannot see it. */
function inWords({ title, unit, curves, format }: LineChart): string {
  const parts = curves.flatMap(({ label, points, style }) => {
    const finite = points.filter(({ value }) => Number.isFinite(value));
    const [first, last] = [finite[0], finite.at(-1)];
    return first && last && style !== 'faint'
      ? [`${label ? `${label} ` : ''}from ${format(first.value)} to ${format(last.value)}`]
      : [];
  });
  return `${title}${unit ? ` in ${unit}` : ''}: ${parts.join('; ') || 'nothing yet'}`;
}

/** A chart as HTML: an inline SVG, its labels as text beside it so that they stay readable at any width. */
export function lineChart(chart: LineChart): string {
  const { curves, format } = chart;
  const x = stepAxis(chart.lastStep);
  const y = valueAxis(
    curves.flatMap(({ points }) => points.map(({ value }) => value)),
    chart,
  );
  const grid = y.ticks.map((tick) => `M0 ${place(1 - y.at(tick))}H${SIZE}`).join('');
  const yLabels = y.ticks.map(
    (tick) => `<span style="top:${percent(1 - y.at(tick))}">${escapeHtml(format(tick))}</span>`,
  );
  const xLabels = x.ticks.map(
    (tick) => `<span style="left:${percent(x.at(tick))}">${tick.toLocaleString('en-US')}</span>`,
  );
  const named = curves.filter(({ label }) => label !== '');
  const entries = named.map(
    ({ label, color, style }) =>
      `<li class="${style}"><i style="background:${escapeHtml(color)}"></i>${escapeHtml(label)}</li>`,
  );
  const legend = named.length > 1 ? `<ul>${entries.join('')}</ul>` : '';
  return `<figure${chart.wide ? ' class="wide"' : ''}>
<figcaption><b>${escapeHtml(chart.title)}</b> <span>${escapeHtml(chart.unit)}</span>${legend}</figcaption>
<div class="plot"><div class="y" aria-hidden="true">${yLabels.join('')}</div><div class="x" aria-hidden="true"><em>step</em>${xLabels.join('')}</div>
<svg viewBox="0 0 ${SIZE} ${SIZE}" preserveAspectRatio="none" role="img" aria-label="${escapeHtml(inWords(chart))}"><path class="grid" d="${grid}"/>${curves.map((curve) => drawing(curve, x, y, format)).join('')}</svg></div>
</figure>`;
}
