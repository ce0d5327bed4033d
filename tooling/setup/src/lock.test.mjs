import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withLock } from './lock.mjs';

/** @type {string} */
let folder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'xlstm lock '));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('withLock', () => {
  it('lets processes in one at a time', async () => {
    const log = join(folder, 'log');
    const code = `
      import { appendFileSync } from 'node:fs';
      const { withLock } = await import(${JSON.stringify(new URL('./lock.mjs', import.meta.url).href)});
      await withLock(${JSON.stringify(join(folder, 'lock'))}, async () => {
        appendFileSync(${JSON.stringify(log)}, 'in\\n');
        await new Promise((resolve) => setTimeout(resolve, 60));
        appendFileSync(${JSON.stringify(log)}, 'out\\n');
      });`;
    const runs = Array.from(
      { length: 4 },
      () =>
        new Promise((resolve) =>
          spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' }).once('exit', resolve),
        ),
    );
    expect(await Promise.all(runs)).toEqual([0, 0, 0, 0]);
    expect(readFileSync(log, 'utf8')).toBe('in\nout\n'.repeat(4));
    expect(readdirSync(folder)).toEqual(['log']);
  });

  it('lets go when the work fails, and returns what it gives', async () => {
    const lock = join(folder, 'lock');
    await expect(withLock(lock, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(existsSync(lock)).toBe(false);
    expect(await withLock(lock, async () => 7)).toBe(7);
  });

  it('takes over from a process that died, and from a holder without a heartbeat', async () => {
    const lock = join(folder, 'lock');
    const dead = await new Promise((resolve) => {
      const child = spawn(process.execPath, ['-e', '']);
      child.once('exit', () => resolve(child.pid));
    });
    writeFileSync(lock, JSON.stringify({ pid: dead, host: hostname() }));
    expect(await withLock(lock, async () => 'in')).toBe('in');

    writeFileSync(lock, JSON.stringify({ pid: 1, host: 'another machine' }));
    const old = new Date(Date.now() - 60_000);
    utimesSync(lock, old, old);
    expect(await withLock(lock, async () => 'in')).toBe('in');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('waits for a holder that lives, and says so once', async () => {
    const lock = join(folder, 'lock');
    writeFileSync(lock, JSON.stringify({ pid: process.pid, host: hostname() }));
    /** @type {number[]} */
    const waits = [];
    let entered = false;
    const waiting = withLock(
      lock,
      async () => {
        entered = true;
      },
      (holder) => waits.push(holder),
    );
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(entered).toBe(false);
    rmSync(lock);
    await waiting;
    expect(entered).toBe(true);
    expect(waits).toEqual([process.pid]);
  });
});
