import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { BuiltCommand, buildCommand } from './testing/built-command.ts';

const endless = ['generate', '--device', 'cpu', '--prompt', 'Once upon a time', '--max-new-tokens', '1000000'];

describe.skipIf(process.platform === 'win32')('the built command', () => {
  beforeAll(buildCommand, 240_000);

  it.each(['SIGINT', 'SIGTERM'] as const)('ends cleanly on %s', async (signal) => {
    const command = new BuiltCommand(endless);
    await command.firstText();
    command.child.kill(signal);
    const { code, stdout, stderr } = await command.end();
    expect(code).toBe(130);
    expect(stdout.endsWith('\n')).toBe(true);
    expect(stderr).toBe('');
  });

  it('ends cleanly while it reads a long prompt', async () => {
    const command = new BuiltCommand([...endless.slice(0, 3), '--prompt-file', '-'], {
      stdin: 'The king said to his daughter. '.repeat(4000),
    });
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(command.child.exitCode).toBeNull();
    command.child.kill('SIGINT');
    const { code, stdout, stderr } = await command.end();
    expect(code).toBe(130);
    expect(stdout).toBe('');
    expect(stderr).toBe('\n');
  });

  it('stops an answer of a chat with Ctrl-C, and the chat goes on', async () => {
    const argv = ['chat', '--device', 'cpu', '--max-new-tokens', '1000000'];
    const command = new BuiltCommand(argv, { stdin: 'Once upon a time\n/stats\n' });
    await command.firstText();
    command.child.kill('SIGINT');
    const { code, stdout, stderr } = await command.end();
    expect(code).toBe(0);
    expect(stdout.endsWith('\n')).toBe(true);
    expect(stderr).toMatch(/^\(stopped\)$/m);
    const [, tokens] = /^state\s+(\d+) tokens/m.exec(stderr)!;
    const [, read, made] = /^last answer\s+(\d+) tokens read, .*; (\d+) new/m.exec(stderr)!;
    expect(Number(tokens)).toBe(Number(read) + Number(made));
    expect(Number(made)).toBeGreaterThan(0);
  });

  it('takes a turn back that is stopped while it is being read', async () => {
    const command = new BuiltCommand(['chat', '--device', 'cpu', '--max-new-tokens', '4'], {
      stdin: `A\n${'The king said to his daughter. '.repeat(4000)}\n/stats\n`,
    });
    await command.firstText();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    command.child.kill('SIGINT');
    const { code, stderr } = await command.end();
    expect(stderr).toMatch(/^\(stopped before the first token; the turn is taken back\)$/m);
    expect(stderr).toMatch(/^state\s+6 tokens/m);
    expect(stderr).toMatch(/^turns\s+1,/m);
    expect(code).toBe(0);
  });

  it('ends a chat at once on a request to terminate', async () => {
    const command = new BuiltCommand(['chat', '--device', 'cpu', '--max-new-tokens', '1000000'], { stdin: 'A\nB\n' });
    await command.firstText();
    command.child.kill('SIGTERM');
    expect((await command.end()).code).toBe(130);
  });

  it('ends at once on a second signal', async () => {
    const command = new BuiltCommand(endless);
    await command.firstText();
    command.child.kill('SIGINT');
    command.child.kill('SIGTERM');
    expect((await command.end()).code).toBe(130);
  });

  it('ends quietly when its reader leaves', async () => {
    const command = new BuiltCommand(endless);
    await command.firstText();
    command.child.stdout!.destroy();
    const [code] = await once(command.child, 'exit');
    expect(code).toBe(0);
    expect((await command.end()).stderr).toBe('');
  });

  it.skipIf(process.platform !== 'linux')('says that a full disk took nothing', async () => {
    const full = openSync('/dev/full', 'w');
    const { code, stderr } = await new BuiltCommand(['inspect'], { stdout: full }).end();
    closeSync(full);
    expect(stderr).toMatch(/^error: stdout: cannot write: ENOSPC/);
    expect(code).toBe(1);
  });

  it.skipIf(process.platform !== 'linux')('says why a named device is not there, and takes no other', async () => {
    const argv = ['generate', '--prompt', 'The fox', '--device', 'webgpu'];
    const { code, stdout, stderr } = await new BuiltCommand(argv, {
      env: { VK_ICD_FILENAMES: '/no/such/driver.json', VK_DRIVER_FILES: '/no/such/driver.json' },
    }).end();
    expect(stderr).toMatch(/^error: webgpu: .+/m);
    expect(stdout).toBe('');
    expect(code).toBe(1);
  });

  it('continues what comes through a pipe, and prints one JSON object and nothing else', async () => {
    const argv = ['generate', '--device', 'cpu', '--json', '--temperature', '0', '--max-new-tokens', '4'];
    const { code, stdout, stderr } = await new BuiltCommand(argv, { stdin: 'Once upon a time\n' }).end();
    expect(JSON.parse(stdout)).toMatchObject({ promptIds: [0, 2353, 674, 260, 521], ids: [448, 1090, 260, 564] });
    expect(stdout.match(/\n/g)).toHaveLength(1);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  it.each([
    [0, ['doctor']],
    [0, ['--help']],
    [1, ['generate', '--prompt', 'a', '--model', 'no/such/folder']],
    [2, ['generate', '--top-p', '2']],
    [2, ['generate']],
  ])('exits with %d after %j', async (expected, argv) => {
    const { code, stderr } = await new BuiltCommand(argv).end();
    expect(code).toBe(expected);
    expect(stderr === '').toBe(expected === 0);
  });
});
