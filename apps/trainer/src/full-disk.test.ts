import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, expect, it } from 'vitest';
import { loadCheckpoint } from './checkpoints/checkpoint-folder.ts';
import { run } from './run.ts';
import { smallRun } from './testing/small-run.ts';

const root = await mkdtemp(join(tmpdir(), 'xlstm-full-disk-'));
const disk = join(root, 'disk');
spawnSync('mkdir', [disk]);
/** A file system with room for a few checkpoints; only Linux's root may make one. */
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', disk]).status === 0;
afterAll(async () => {
  if (mounted) spawnSync('umount', [disk]);
  await rm(root, { recursive: true, force: true });
});

it.skipIf(!mounted)(
  'a full disk ends the run, and the last checkpoint is whole (skipped where no disk can be mounted)',
  async () => {
    const { config } = await smallRun(join(root, 'texts'));
    let said = '';
    const stderr = new PassThrough().on('data', (data) => {
      said += String(data);
    }) as unknown as NodeJS.WriteStream;
    const outDir = join(disk, 'run');
    const argv = [
      '--config',
      config,
      `out_dir=${JSON.stringify(outDir)}`,
      'train.max_steps=200',
      'checkpoint.interval=1',
    ];
    const code = await run([...argv, 'checkpoint.keep=100', 'eval.interval=500'], {
      stdout: stderr,
      stderr,
      signal: new AbortController().signal,
    });
    expect(said).toMatch(/ENOSPC|no space left/);
    expect(said).toMatch(/the (one before|last checkpoint) is whole|make room/);
    expect(code).toBe(1);
    const checkpoints = await readdir(join(outDir, 'checkpoints'));
    expect(checkpoints.length).toBeGreaterThan(0);
    for (const name of checkpoints) {
      expect(name).toMatch(/^step-\d+$/);
      const { step, weights } = await loadCheckpoint(join(outDir, 'checkpoints', name));
      expect([Number(name.slice(5)), weights.length > 0]).toEqual([step, true]);
    }
  },
);
