import { describe, expect, it } from 'vitest';
import type { StepMetrics } from './metrics-log.ts';
import { ProgressLine, type ProgressLineOptions } from './progress-line.ts';
import { shortCount, shortDuration, shortScientific } from './short-numbers.ts';

const ERASE = '\r\u001b[2K';

/** A screen line as a terminal would show it, and everything that was written. */
function screen(isTTY: boolean, columns: number | undefined, options: Partial<ProgressLineOptions> = {}) {
  const written: string[] = [];
  const clock = { ms: 0 };
  const stream = { isTTY, columns, write: (text: string) => written.push(text) };
  const line = new ProgressLine(stream, { maxSteps: 1000, now: () => clock.ms, ...options });
  const shown = () => written.join('').split('\n').at(-1)!.split(ERASE).at(-1)!;
  return { written, clock, stream, line, shown };
}

function metrics(step: number): StepMetrics {
  return { step, loss: 3.4121, lr: 9.8e-4, gradientNorm: 0.83, tokensPerSecond: 511_200, tokens: step * 1000 };
}

describe('ProgressLine on a terminal', () => {
  it('shows one line with everything, redrawn', () => {
    const { line, clock, shown, written } = screen(true, 100);
    clock.ms = 5000;
    line.update(metrics(1));
    expect(shown()).toMatch(/^step {4}1\/1000 \[ +\] loss 3\.412 lr 9\.8e-4 norm 0\.83 511k tok\/s eta 1h23m$/);
    clock.ms = 5000 + 499 * 150;
    line.update(metrics(500));
    // The 5 s of the first step do not count any more: 500 steps of 150 ms are to go.
    expect(shown()).toMatch(/^step {2}500\/1000 \[=+ +\] loss 3\.412 lr 9\.8e-4 norm 0\.83 511k tok\/s eta 1m15s$/);
    const bar = /\[(=*)( *)\]/.exec(shown())!;
    expect(Math.abs(bar[1]!.length - bar[2]!.length)).toBeLessThanOrEqual(1);
    expect(shown()).toHaveLength(99);
    expect(written.join('')).not.toContain('\n');
  });

  it('counts only the steps of this process after a resume', () => {
    const { line, clock, shown } = screen(true, 100, { step: 900 });
    clock.ms = 2000;
    line.update(metrics(901));
    expect(shown()).toContain('eta 3m18s');
    clock.ms = 3000;
    line.update(metrics(911));
    expect(shown()).toContain('eta 9s');
  });

  it.each([120, 80, 60, 50, 40, 30, 20, 10, 1])('stays within %d columns', (columns) => {
    const { line, clock, shown } = screen(true, columns);
    line.update(metrics(1));
    clock.ms = 1000;
    line.update(metrics(1000));
    expect(shown().length).toBeLessThan(Math.max(columns, 1));
    if (columns >= 30) expect(shown()).toContain('loss 3.412');
    if (columns >= 50) expect(shown()).toContain('eta 0s');
  });

  it('follows a terminal that changes its width, and takes one of unknown width to have 80', () => {
    const { line, clock, shown, stream } = screen(true, 0);
    line.update(metrics(1));
    expect(shown()).toHaveLength(79);
    clock.ms = 1000;
    stream.columns = 50;
    line.update(metrics(2));
    expect(shown().length).toBeLessThan(50);
  });

  it('draws at most ten times a second, and the last step always', () => {
    const { line, clock, written, shown } = screen(true, 100);
    for (let step = 1; step <= 1000; step++) {
      clock.ms = step;
      line.update(metrics(step));
    }
    expect(written.length).toBeLessThanOrEqual(12);
    expect(shown()).toMatch(/^step 1000\/1000 \[=+\]/);
  });

  it('makes room for other text and comes back under it', () => {
    const { line, written, shown } = screen(true, 100);
    line.update(metrics(1));
    line.print('validation 3.671');
    expect(written[1]).toBe(ERASE);
    expect(written[2]).toBe('validation 3.671\n');
    expect(shown()).toContain('step    1/1000');
    line.clear();
    expect(shown()).toBe('');
    line.print('two\nlines\n');
    expect(written.at(-1)).toBe('two\nlines\n');
  });

  it('is gone on abort, and stays so', () => {
    const abort = new AbortController();
    const { line, clock, written, shown } = screen(true, 100, { signal: abort.signal });
    line.update(metrics(1));
    abort.abort();
    expect(shown()).toBe('');
    const { length } = written;
    clock.ms = 60_000;
    line.update(metrics(2));
    line.close();
    expect(written).toHaveLength(length);
    line.print('stopped');
    expect(written.at(-1)).toBe('stopped\n');
  });

  it('is gone when it is disposed', () => {
    const { line, shown } = screen(true, 100);
    {
      using progress = line;
      progress.update(metrics(1));
    }
    expect(shown()).toBe('');
  });
});

describe('ProgressLine elsewhere', () => {
  const steps = (written: string[]) => written.map((text) => Number(/^step (\d+)\//.exec(text)?.[1]));

  it('writes a plain line for the first step, the last, and at intervals', () => {
    const { line, clock, written } = screen(false, undefined, { maxSteps: 35 });
    for (let step = 1; step <= 35; step++) {
      clock.ms = step * 5000;
      line.update(metrics(step));
    }
    // 10 steps take 50 s here, so the steps decide.
    expect(steps(written)).toEqual([1, 11, 21, 31, 35]);
    expect(written[1]).toBe('step 11/35 loss 3.412 lr 9.8e-4 norm 0.83 511k tok/s eta 2m00s\n');
    expect(written.join('')).not.toContain('\u001b');
  });

  it('waits for 10 s where steps are fast', () => {
    const { line, clock, written } = screen(false, undefined, { maxSteps: 3000, every: 5 });
    for (let step = 1; step <= 2999; step++) {
      clock.ms = step * 10;
      line.update(metrics(step));
    }
    expect(steps(written)).toEqual([1, 1001, 2001]);
  });

  it('prints text as it is', () => {
    const { line, written } = screen(false, undefined);
    line.print('resumed');
    expect(written).toEqual(['resumed\n']);
  });
});

describe('short numbers', () => {
  it.each([
    [0, '0'],
    [128, '128'],
    [999, '999'],
    [1000, '1.00k'],
    [9_999, '10.0k'],
    [511_200, '511k'],
    [999_600, '1.00M'],
    [6_931_248, '6.93M'],
    [-1500, '-1.50k'],
    [2.71, '2.71'],
    [Number.NaN, 'NaN'],
  ])('counts %d', (count, text) => expect(shortCount(count)).toBe(text));

  it.each([
    [0, '0'],
    [9.8e-4, '9.8e-4'],
    [1e-3, '1e-3'],
    [0.0123, '0.012'],
    [0.8312, '0.83'],
    [12.345, '12.3'],
    [2.5e9, '2.5e9'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
  ])('sizes %d', (value, text) => expect(shortScientific(value)).toBe(text));

  it.each([
    [0.4, '0s'],
    [59.6, '1m00s'],
    [133, '2m13s'],
    [3599.7, '1h00m'],
    [11_220, '3h07m'],
    [187_200, '2d04h'],
    [86_399, '1d00h'],
    [Number.NaN, '?'],
  ])('lasts %d s', (seconds, text) => expect(shortDuration(seconds)).toBe(text));
});
