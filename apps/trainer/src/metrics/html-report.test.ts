import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointError } from '@xlstm/device';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stepAxis, valueAxis } from './chart-axis.ts';
import { median, smoothed, thinned } from './curve-points.ts';
import { type ReportContents, writeReport } from './html-report.ts';
import { escapeHtml } from './html-text.ts';
import { lineChart } from './line-chart.ts';
import type { StepMetrics } from './metrics-log.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xlstm-report-'));
});
afterAll(() => rm(folder, { recursive: true }));

function run(steps: number, more: (step: number) => Partial<StepMetrics> = () => ({})): StepMetrics[] {
  return Array.from({ length: steps }, (_, index) => {
    const step = index + 1;
    const line = { step, loss: 2 + 6 / step, lr: 1e-3, gradientNorm: 1, tokensPerSecond: 1000, tokens: step * 500 };
    return { ...line, ...more(step) };
  });
}

async function report(metrics: StepMetrics[], more: Partial<ReportContents> = {}): Promise<string> {
  const contents = { title: 'stories', config: { seed: 1 }, parameters: 6_931_248, device: 'cpu', metrics, ...more };
  return readFile(await writeReport(folder, contents), 'utf8');
}

/** The elements of a page; throws where tags do not close each other as they should. */
function elements(html: string): string[] {
  const open: string[] = [];
  const names: string[] = [];
  const tags = html.replace(/<style>[\s\S]*?<\/style>/, '').matchAll(/<(\/?)([a-z0-9!]+)((?:"[^"]*"|[^">])*?)(\/?)>/gi);
  for (const [tag, closing, name, , empty] of tags) {
    if (closing) {
      if (open.pop() !== name) throw new Error(`${tag} closes nothing`);
    } else {
      names.push(name!);
      if (!empty && !['meta', '!doctype'].includes(name!)) open.push(name!);
    }
  }
  if (open.length > 0) throw new Error(`${open} stay open`);
  return names;
}

describe('writeReport', () => {
  it('holds losses, speed, the best validation, samples and the configuration', async () => {
    const html = await report(
      run(200, (step) =>
        step % 50 === 0
          ? { validationLoss: step === 150 ? 2.5 : 3, samples: [{ prompt: 'Once', text: ` upon ${step}` }] }
          : {},
      ),
      { config: { outDir: 'runs/x', task: undefined, optimizer: { lr: 1e-3 } } },
    );
    const names = elements(html);
    expect(names.filter((name) => name === 'svg')).toHaveLength(4);
    expect(html).toContain('<dd>6.93M<small>6,931,248</small>');
    expect(html).toContain('<dd>200<small>100k tokens</small>');
    expect(html).toContain('<dd>1m40s<small>in steps');
    expect(html).toContain('<dd>1.00k<small>tokens/s');
    expect(html).toContain('<dd>2.500<small>nats per token at step 150, perplexity 12.18');
    expect(html).toContain('<title>validation, step 50: 3</title>');
    expect(html.indexOf('upon 200')).toBeLessThan(html.indexOf('upon 150'));
    expect(html).toContain('from 3 evaluations');
    expect(html).toContain('outDir: runs/x\noptimizer:\n  lr: 0.001\n');
    expect(html).not.toContain('Accuracy');
  });

  it('loads nothing and runs nothing, whatever texts it shows', async () => {
    const evil = '"><script>alert(1)</script>\'&<img src=x onerror=alert(1)>\u0000';
    const metrics = run(20, () => ({ accuracy: { [evil]: 0.5 }, samples: [{ prompt: evil, text: evil }] }));
    const html = await report(metrics, { title: evil, device: evil, config: { [evil]: evil } });
    const names = elements(html);
    for (const name of ['script', 'img', 'link', 'iframe']) expect(names).not.toContain(name);
    expect(html).not.toMatch(/\b(src|href)=(?!x onerror)/);
    expect(html).not.toMatch(/url\(|@import/);
    expect(html).not.toContain('\u0000');
    expect(html).toContain("default-src 'none'");
    expect(html.match(/&lt;script&gt;alert\(1\)/g)!.length).toBeGreaterThanOrEqual(8);
  });

  it('shows accuracies by length, in the order of lengths', async () => {
    const html = await report(run(10, (step) => ({ accuracy: { '256': step / 20, '3–40': 1, '64': 0.9 } })));
    elements(html);
    const rows = [...html.matchAll(/<tr><td>(.+?)<\/td><td>(.+?)<\/td><td>(.+?)<\/td><td>(.+?)<\/td>/g)];
    expect(rows.map(([, ...cells]) => cells)).toEqual([
      ['3–40', '100.0%', '100.0%', '1'],
      ['64', '90.0%', '90.0%', '1'],
      ['256', '50.0%', '50.0%', '10'],
    ]);
  });

  it.each([0, 1, 3])('can be written after %d steps', async (steps) => {
    const html = await report(run(steps));
    elements(html);
    expect(html.includes('No step was done yet')).toBe(steps === 0);
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('shows a loss that was no number as a gap, and says so', async () => {
    // As the metrics log gives it back: JSON has no NaN.
    const html = await report(run(30, (step) => (step === 15 ? { loss: null as unknown as number } : {})));
    expect(html).toContain('not a number at step 15.');
    expect(html).not.toMatch(/NaN|null/);
  });

  it('stays small for long runs', async () => {
    const html = await report(run(30_000, (step) => ({ loss: 3 + Math.sin(step * 12.9898) })));
    expect(html.length).toBeLessThan(150_000);
  });

  it('appears whole or not at all', async () => {
    const before = await report(run(5));
    expect((await readdir(folder)).filter((name) => name.includes('tmp'))).toEqual([]);
    const file = join(folder, 'file');
    await writeFile(file, '');
    const refused = writeReport(file, { title: '', config: {}, metrics: [], parameters: 0, device: '' });
    await expect(refused).rejects.toThrow(CheckpointError);
    await expect(refused).rejects.toThrow(/set logger.report=false/);
    expect(await readFile(join(folder, 'report.html'), 'utf8')).toBe(before);
  });
});

describe('axes', () => {
  it.each([
    ['losses', [2.1, 8.3], {}, [2, 4, 6, 8, 10]],
    ['small steps', [0.31, 0.42], {}, [0.3, 0.35, 0.4, 0.45]],
    ['from zero', [510, 520], { zero: true }, [0, 200, 400, 600]],
    ['one value', [3, 3], {}, [3, 4]],
    ['nothing', [Number.NaN], {}, [0, 0.5, 1]],
    ['wide ones', [2e-4, 0.7], { logarithmic: true }, [1e-4, 1e-3, 1e-2, 0.1, 1]],
    ['very wide ones', [1e-12, 1], { logarithmic: true }, [1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1]],
    ['wide ones with a zero', [0, 1000], { logarithmic: true }, [0, 500, 1000]],
  ])('has round ticks around %s', (_, values, options, ticks) => {
    const axis = valueAxis(values, options);
    expect(axis.ticks).toEqual(ticks);
    expect(axis.at(axis.ticks[0]!)).toBeCloseTo(0, 12);
    expect(axis.at(axis.ticks.at(-1)!)).toBeCloseTo(1, 12);
    for (const value of values.filter(Number.isFinite)) {
      expect(axis.at(value)).toBeGreaterThanOrEqual(-1e-9);
      expect(axis.at(value)).toBeLessThanOrEqual(1 + 1e-9);
    }
  });

  it.each([
    [1000, [0, 200, 400, 600, 800, 1000]],
    [1234, [0, 500, 1000]],
    [3, [0, 1, 2, 3]],
    [0, [0, 1]],
  ])('counts %d steps', (last, ticks) => expect(stepAxis(last).ticks).toEqual(ticks));
});

describe('curves', () => {
  const points = Array.from({ length: 10_000 }, (_, step) => ({ step, value: step === 5003 ? 100 : (step * 7) % 11 }));

  it('keeps the extremes of what it thins', () => {
    const thin = thinned(points);
    expect(thin.length).toBeLessThanOrEqual(800);
    expect(Math.max(...thin.map(({ value }) => value))).toBe(100);
    expect(thin.map(({ step }) => step)).toEqual(thin.map(({ step }) => step).toSorted((a, b) => a - b));
    const gap = thinned([...points, { step: 10_000, value: Number.NaN }]);
    expect(gap.some(({ value }) => Number.isNaN(value))).toBe(true);
  });

  it('smooths without lagging behind, and without following one wild step', () => {
    const falling = points.map(({ step }) => ({ step, value: step === 5003 ? 1e9 : -step }));
    const smooth = smoothed(falling);
    expect(smooth.length).toBeLessThanOrEqual(401);
    expect(smooth[0]).toEqual({ step: 0, value: -0 });
    for (const { step, value } of smooth.slice(0, -10)) expect(Math.abs(value + step)).toBeLessThan(1.5);
  });

  it('finds medians', () => {
    expect([median([]), median([3]), median([4, 1]), median([9, 1, 2])]).toEqual([undefined, 3, 2.5, 2]);
  });

  it('draws nothing through gaps', () => {
    const values = [1, 2, Number.NaN, 2, 1];
    const html = lineChart({
      title: 'a',
      unit: '',
      lastStep: 4,
      format: String,
      curves: [{ label: '', color: 'red', style: 'line', points: values.map((value, step) => ({ step, value })) }],
    });
    expect(/class="line"[^>]* d="([^"]+)"/.exec(html)?.[1]).toBe('M0 1000h0L0 1000L250 0M750 0h0L750 0L1000 1000');
  });
});

it('escapes what HTML means', () => {
  expect(escapeHtml(`<a href="x">'&'</a>\u0007\n`)).toBe(
    '&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;\ufffd\n',
  );
});
