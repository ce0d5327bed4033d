import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { captureRun } from './testing/captured-run.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xlstm-cli-'));
});
afterAll(() => rm(folder, { recursive: true }));

const prompt = ['--prompt', 'The fox'];

describe('the command line', () => {
  it.each([
    ['no command', [], /Usage: xlstm/],
    ['an unknown command', ['genrate'], /unknown command 'genrate'\n\(Did you mean generate\?\)/],
    ['an unknown option', ['generate', '--temprature', '1'], /'--temprature'\n\(Did you mean --temperature\?\)/],
    ['an unknown option of start', ['start', '--max-tokens', '1'], /unknown option '--max-tokens'/],
    ['an unknown option of doctor', ['doctor', '--jsn'], /Did you mean --json\?/],
    ['an unknown option of inspect', ['inspect', '.', '--jason'], /Did you mean --json\?/],
    ['too many arguments', ['doctor', 'me'], /too many arguments for 'doctor'/],
    ['a missing value', ['generate', '--prompt'], /'--prompt <text>' argument missing/],
    [
      'topP 0',
      ['generate', ...prompt, '--top-p', '0'],
      /argument '0' is invalid. It must be a number above 0 and at most 1/,
    ],
    [
      'topP 2',
      ['generate', ...prompt, '--top-p', '2'],
      /argument '2' is invalid. It must be a number above 0 and at most 1/,
    ],
    ['minP 1.1', ['generate', ...prompt, '--min-p', '1.1'], /must be a number from 0 to 1/],
    [
      'a negative temperature',
      ['generate', ...prompt, '--temperature', '-1'],
      /argument '-1' is invalid. It must be a number from 0/,
    ],
    ['NaN', ['start', '--temperature', 'NaN'], /argument 'NaN' is invalid/],
    ['infinity', ['start', '--temperature', '1e999'], /argument '1e999' is invalid/],
    ['no number', ['generate', ...prompt, '--top-k', 'abc'], /argument 'abc' is invalid. It must be a whole number/],
    ['an empty number', ['generate', ...prompt, '--top-k', ''], /argument '' is invalid/],
    ['half a token', ['generate', ...prompt, '--max-new-tokens', '1.5'], /must be a whole number from 0 up/],
    ['a negative seed', ['generate', ...prompt, '--seed', '-3'], /must be a whole number from 0 up/],
    ['a penalty of 0', ['generate', ...prompt, '--repetition-penalty', '0'], /must be a number above 0/],
    ['an empty stop', ['generate', ...prompt, '--stop', ''], /must not be empty/],
    ['an unknown dtype', ['generate', ...prompt, '--dtype', 'fp8'], /Allowed choices are fp32, bf16, fp16/],
    ['an unknown device', ['generate', ...prompt, '--device', 'gpu'], /Allowed choices are auto, webgpu, cpu/],
    [
      'two prompts',
      ['generate', ...prompt, '--prompt-file', 'x'],
      /with --prompt and with --prompt-file; give it once/,
    ],
    ['words and a prompt', ['start', 'Once', ...prompt], /as words and with --prompt; give it once/],
    ['no prompt at a terminal', ['generate'], /no prompt was given; use --prompt TEXT, --prompt-file FILE or a pipe/],
  ])('refuses %s', async (_, argv, message) => {
    const { code, stdout, stderr } = await captureRun(argv);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('refuses an empty pipe', async () => {
    const { code, stderr } = await captureRun(['generate'], { stdin: '' });
    expect(stderr).toMatch(/no prompt was given and stdin is empty/);
    expect(code).toBe(2);
  });

  it.each([
    [
      'a missing model',
      ['generate', ...prompt, '--model', 'no/such/folder'],
      /a folder that exists; got "no\/such\/folder"/,
    ],
    ['a folder without a model', ['generate', ...prompt, '--model', import.meta.dirname], /holds no checkpoint/],
    ['an unreadable prompt file', ['generate', '--prompt-file', 'no/such/file'], /cannot read no\/such\/file: ENOENT/],
    ['a folder as prompt file', ['start', '--prompt-file', import.meta.dirname], /cannot read .*EISDIR/],
    ['inspecting nothing', ['inspect', 'no/such/folder'], /inspect: cannot list the folder no\/such\/folder/],
  ])('says what is wrong with %s', async (_, argv, message) => {
    const { code, stdout, stderr } = await captureRun([...argv]);
    expect(stderr).toMatch(/^error: /);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(stdout).toBe('');
    expect(code).toBe(1);
  });

  it('refuses a prompt that is not UTF-8', async () => {
    const file = join(folder, 'latin1.txt');
    await writeFile(file, Uint8Array.of(0x66, 0xfc, 0x72));
    const { code, stderr } = await captureRun(['generate', '--prompt-file', file]);
    expect(stderr).toMatch(/must be UTF-8 text/);
    expect(code).toBe(1);
  });

  it.each([
    ['--debug', ['--debug'], {}],
    ['XLSTM_DEBUG', [], { XLSTM_DEBUG: '1' }],
  ])('shows the stack with %s', async (_, flags, env) => {
    const argv = ['inspect', 'no/such/folder', ...flags];
    const { code, stderr } = await captureRun(argv, { env });
    expect(stderr).toMatch(/^\s+at /m);
    expect(stderr).toMatch(/caused by: /);
    expect(code).toBe(1);
  });

  it.each([
    ['--help'],
    ['help'],
    ['start', '--help'],
    ['generate', '--help'],
    ['chat', '--help'],
    ['eval', '--help'],
    ['inspect', '-h'],
    ['doctor', '-h'],
  ])('helps with %s %s', async (...argv) => {
    const { code, stdout, stderr } = await captureRun(argv.filter((word) => word !== undefined));
    expect(stdout).toMatch(/^Usage: xlstm/);
    expect(stdout).toMatch(/\n {2}\$ xlstm /);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  it('knows its version', async () => {
    const { code, stdout } = await captureRun(['--version']);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\S*\n$/);
    expect(code).toBe(0);
  });
});
