import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtInModel } from '../installed.ts';
import { BuiltCommand, buildCommand } from '../testing/built-command.ts';
import { captureRun } from '../testing/captured-run.ts';
import { writeSparseModel } from '../testing/sparse-model.ts';
import type { ConversionReport } from './run-conversion.ts';

const root = await mkdtemp(join(tmpdir(), 'xlstm-hard-'));
const disk = join(root, 'disk');
await mkdir(disk);
/** A file system with room for half a conversion; only Linux's root may make one. */
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk]).status === 0;
afterAll(async () => {
  if (mounted) spawnSync('umount', [disk]);
  await rm(root, { recursive: true, force: true });
});

const Q4 = ['--dtype', 'q4', '--shard-size', '400KB'];

async function contents(folder: string): Promise<Record<string, string>> {
  const entries = (await readdir(folder)).map(
    async (name) => [name, (await readFile(join(folder, name))).toString('base64')] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

describe('in a process of its own', () => {
  beforeAll(buildCommand, 300_000);

  it('a conversion that is killed again and again ends in the same bytes', { timeout: 120_000 }, async () => {
    const [whole, out] = [join(root, 'whole'), join(root, 'killed')];
    expect((await captureRun(['convert', builtInModel, whole, ...Q4])).code).toBe(0);
    let kills = 0;
    for (let runs = 0; runs < 30; runs++) {
      const command = new BuiltCommand(['convert', builtInModel, out, ...Q4]);
      // In the midst of a file that follows some new one, later each time.
      let fresh = 0;
      command.child.stderr!.on('data', (text: string) => {
        fresh += text.split('\n').filter((line) => line !== '' && !line.includes('before')).length;
        if (kills < 3 && fresh >= 1 + kills) command.child.kill('SIGKILL');
      });
      const { code, signal, stderr } = await command.end();
      if (signal === 'SIGKILL') {
        kills++;
        expect(await readdir(out)).not.toContain('config.json');
        continue;
      }
      expect(stderr).not.toMatch(/error:/);
      expect(code).toBe(0);
      break;
    }
    expect(kills).toBe(3);
    expect(await contents(out)).toEqual(await contents(whole));
  });

  it('a model of the 7B’s widths is converted in less memory than its largest tensor', {
    timeout: 300_000,
  }, async () => {
    const model = join(root, 'sparse');
    await writeSparseModel(model, 1, 2048);
    const says = 'process.on("exit",()=>console.error("peak",process.resourceUsage().maxRSS))';
    const command = new BuiltCommand(['convert', model, join(root, 'small'), '--dtype', 'q4', '--json'], {
      env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(says)}` },
    });
    const { code, stdout, stderr } = await command.end();
    expect(code).toBe(0);
    const report = JSON.parse(stdout) as ConversionReport;
    expect(report.sourceBytes).toBeGreaterThan(8e8);
    expect(report.bytes / report.sourceBytes).toBeLessThan(0.16);
    const peak = Number(/peak (\d+)/.exec(stderr)?.[1]) * 1024;
    expect(peak).toBeGreaterThan(1e7);
    expect(peak).toBeLessThan(400e6);
  });
});

it('the 7B model takes 4 GB in q4 and 7.3 GB in q8, known from its headers', async () => {
  const model = join(root, 'seven');
  await writeSparseModel(model, 32);
  const sizeIn = async (dtype: string) => {
    const run = await captureRun(['convert', model, join(root, 'nowhere'), '--dtype', dtype, '--dry-run', '--json']);
    expect(run.stderr).toBe('');
    return JSON.parse(run.stdout) as ConversionReport;
  };
  const q4 = await sizeIn('q4');
  expect(q4.sourceBytes).toBeGreaterThan(27.4e9);
  expect(q4.bytes).toBe(3_973_486_488);
  expect(q4.shards.every(({ bytes }) => bytes < 513e6)).toBe(true);
  expect((await sizeIn('q8')).bytes / 1e9).toBeCloseTo(7.3, 1);
});

describe.skipIf(!mounted)('on a full disk (skipped where none can be mounted)', () => {
  const out = join(disk, 'model');
  const filler = join(disk, 'filler');

  it('says at once what is missing, then goes on where there is room', async () => {
    await writeFile(filler, new Uint8Array(4 * 2 ** 20));
    const refused = await captureRun(['convert', builtInModel, out, ...Q4]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /no room for model-00001-of-000\d\d\.safetensors in .*: \d+ bytes are needed \(\d+ with all that follow\), \d+ are available; make room and run the same command again/,
    );
    await rm(filler);
    // Someone else fills the disk while we write.
    let filled: Promise<void> | undefined;
    const stopped = await captureRun(['convert', builtInModel, out, ...Q4], {
      onStderr: (said) => {
        if (said.includes(', 3 of ')) filled ??= writeFile(filler, new Uint8Array(8 * 2 ** 20)).catch(() => {});
      },
    });
    await filled;
    expect(stopped.code).toBe(1);
    expect(stopped.stderr).toMatch(
      /error: convert: no room for \S+ in .*; make room and run the same command again, which goes on after the \d+ of/,
    );
    const finished = (await readdir(out)).filter((name) => name.endsWith('.safetensors'));
    expect(finished.length).toBeGreaterThanOrEqual(3);
    expect((await readdir(out)).filter((name) => /partial|lock|^config/.test(name))).toEqual([]);
    await rm(filler);
    const resumed = await captureRun(['convert', builtInModel, out, ...Q4]);
    expect(resumed.code).toBe(0);
    expect(resumed.stderr.match(/finished before/g)).toHaveLength(finished.length);
    expect((await captureRun(['convert', builtInModel, out, '--verify'])).code).toBe(0);
  });
});
