import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { run } from './commands.mjs';
import { asksForWebgpu } from './program.mjs';

const moduleUrl = (/** @type {string} */ name) => JSON.stringify(new URL(name, import.meta.url).href);

/**
 * Starts a script, sends it signals once it has printed "ready", and gives what it printed.
 * @param {string} code
 * @param {(child: import('node:child_process').ChildProcess) => unknown} act
 */
async function whenReady(code, act) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      const before = output;
      output += text;
      if (!before.includes('ready') && output.includes('ready')) act(child);
    });
  }
  const [exitCode] = await once(child, 'close');
  return { exitCode, output };
}

describe('run', () => {
  it('collects output and gives the exit code', async () => {
    const code = 'console.log("out"); console.error("err"); process.exit(3)';
    const result = await run(process.execPath, ['-e', code], { cwd: tmpdir(), quiet: true });
    expect(result.code).toBe(3);
    expect(result.output).toContain('out\n');
    expect(result.output).toContain('err\n');
  });

  it('says which program is not there', async () => {
    const result = await run('no-such-program', [], { cwd: tmpdir(), quiet: true });
    expect(result.code).toBe(127);
    expect(result.output).toMatch(/no-such-program: .*ENOENT/);
  });

  it('passes a signal on once, lets the program end, and then stops the task', async () => {
    const inner = `
      process.on('SIGTERM', () => { console.log('got SIGTERM'); setTimeout(() => process.exit(0), 50); });
      setInterval(() => {}, 1000);
      console.log('ready');`;
    const { exitCode, output } = await whenReady(
      `const { run } = await import(${moduleUrl('./commands.mjs')});
       await run(process.execPath, ['-e', ${JSON.stringify(inner)}], { cwd: '.' }).catch((error) => {
         console.log(error.message);
         process.exitCode = error.exitCode;
       });`,
      (child) => child.kill('SIGTERM'),
    );
    expect(output.match(/got SIGTERM/g)).toHaveLength(1);
    expect(output).toContain('Stopped by SIGTERM.');
    expect(exitCode).toBe(143);
  });
});

describe('deliverInterruptOnce', () => {
  it('swallows the echo of Ctrl-C and delivers a later one', async () => {
    const { exitCode, output } = await whenReady(
      `const { deliverInterruptOnce } = await import(${moduleUrl('./program.mjs')});
       deliverInterruptOnce();
       let count = 0;
       process.on('SIGINT', () => { count += 1; console.log('interrupt', count); if (count === 2) process.exit(5); });
       setInterval(() => {}, 1000);
       console.log('ready');`,
      (child) => {
        child.kill('SIGINT');
        setTimeout(() => child.kill('SIGINT'), 30);
        setTimeout(() => child.kill('SIGINT'), 600);
      },
    );
    expect(output.match(/interrupt \d/g)).toEqual(['interrupt 1', 'interrupt 2']);
    expect(exitCode).toBe(5);
  });
});

describe('asksForWebgpu', () => {
  it('sees both spellings of the option, and nothing else', () => {
    expect(asksForWebgpu(['generate', '--device', 'webgpu'])).toBe(true);
    expect(asksForWebgpu(['--device=webgpu'])).toBe(true);
    expect(asksForWebgpu(['--device', 'cpu', 'webgpu'])).toBe(false);
  });
});
