import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { OptionError } from '@xlstm/device';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleBenches } from './bundle.ts';
import { findBenches } from './find-benches.ts';
import { parseOptions } from './options.ts';
import { jsonReport, tableReport } from './report.ts';
import { matching } from './select-benches.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const rmsNorm = 'packages/tensor/src/kernels/rms-norm/kernel.bench.ts';

describe('parseOptions', () => {
  it('reads a filter and flags, in any order', () => {
    expect(parseOptions([])).toEqual({
      filter: undefined,
      device: 'auto',
      json: false,
      toggles: [],
      bundle: undefined,
      help: false,
    });
    expect(parseOptions(['--device=cpu', 'matvec', '--json'])).toMatchObject({
      filter: 'matvec',
      device: 'cpu',
      json: true,
    });
    expect(parseOptions(['--toggles', 'a,-b']).toggles).toEqual(['a', '-b']);
    expect(parseOptions(['--bundle', 'x.mjs', '-h'])).toMatchObject({ bundle: 'x.mjs', help: true });
  });

  it.each([
    [['--device', 'gpu'], /--device must be one of auto, webgpu, cpu, got "gpu"/],
    [['--fast'], /Unknown option '--fast'/],
    [['a', 'b'], /expected one filter, got "a" and "b"/],
    [['--json=yes'], /see --help/],
    [['--device'], /see --help/],
  ])('refuses %j', (argv, message) => {
    expect(() => parseOptions(argv)).toThrow(OptionError);
    expect(() => parseOptions(argv)).toThrow(message);
  });
});

describe('matching', () => {
  const paths = findBenches(root);

  it('finds benches by any part of the path, kebab or snake', () => {
    expect(paths).toContain(rmsNorm);
    expect(matching(paths, 'RMS_norm', (path) => path)).toEqual([rmsNorm]);
    expect(matching(paths, undefined, (path) => path)).toEqual(paths);
  });

  it('lists what there is when nothing matches', () => {
    expect(() => matching(paths, 'nothing', (path) => path)).toThrow(/no bench matches "nothing"; .*tensor\/rms-norm/);
  });
});

describe('reports', () => {
  const ceilings = { copyBytes: 2 ** 20, copyGigabytesPerSecond: 200, fmaGigaflopsPerSecond: 1000 };
  const result = { name: 'x', device: 'd', variant: 'plain', microseconds: 12.34, gigabytesPerSecond: 50 };

  it('JSON lines carry shares and own columns, and say what was skipped', () => {
    const lines: string[] = [];
    const report = jsonReport((line) => lines.push(line));
    report.ceilings('d', ceilings);
    report.result({ ...result, gigaflopsPerSecond: 10 });
    report.result({ name: 'decode', device: 'd', microseconds: 1e4, columns: { 'tokens/s': 100 } });
    report.skipped('y', 'too large');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { ceilings, device: 'd' },
      { ...result, gigaflopsPerSecond: 10, copyShare: 0.25, fmaShare: 0.01 },
      { name: 'decode', device: 'd', microseconds: 1e4, 'tokens/s': 100 },
      { name: 'y', skipped: 'too large' },
    ]);
  });

  it('the table shows a dash for what a bench does not measure', () => {
    const lines: string[] = [];
    const report = tableReport((line) => lines.push(line));
    report.ceilings('d', ceilings);
    report.result(result);
    report.result({ name: 'decode', device: 'd', microseconds: 2.5e6, columns: { 'tokens/s': 100.4 } });
    expect(lines.at(-2)).toMatch(/^x +plain +12\.3 µs +50\.0 +25 % +– +–$/);
    expect(lines.at(-1)).toMatch(/^decode +2\.50 s +– +– +– +– {2}tokens\/s 100$/);
  });
});

describe('a bundle', () => {
  const file = `${root}packages/device/node_modules/.xlstm-bench-test-${process.pid}.mjs`;
  beforeAll(() => bundleBenches(root, [rmsNorm], file, 'program'));
  afterAll(() => rmSync(file, { force: true }));

  function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return new Promise((resolve) => {
      execFile(process.execPath, [file, ...args], (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr });
      });
    });
  }

  it('runs by itself: ceilings, then checked and timed kernels', async () => {
    const { code, stdout, stderr } = await run('rms', '--device', 'cpu', '--json');
    expect(stderr).toContain('bench: rms_norm');
    expect(code).toBe(0);
    const [first, ...results] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(first.ceilings.copyGigabytesPerSecond).toBeGreaterThan(0);
    expect(first.ceilings.fmaGigaflopsPerSecond).toBeGreaterThan(0);
    expect(results.length).toBeGreaterThan(0);
    for (const result of results) {
      expect(result).toMatchObject({ name: expect.stringMatching(/^rms_norm /), device: 'CPU', variant: 'reference' });
      expect(result.microseconds).toBeGreaterThan(0);
      expect(result.copyShare).toBeCloseTo(result.gigabytesPerSecond / first.ceilings.copyGigabytesPerSecond, 6);
    }
  });

  it('ends with an error and a non-zero code for a device or filter that is not there', async () => {
    for (const args of [['--device', 'tpu'], ['no-such-kernel']]) {
      const { code, stdout, stderr } = await run(...args);
      expect(code).toBe(1);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^bench: (--device must be one of|no bench matches "no-such-kernel")/);
    }
  });

  it('prints its help', async () => {
    expect((await run('--help')).stdout).toMatch(/--bundle FILE/);
  });
});
