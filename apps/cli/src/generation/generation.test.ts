import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { examine } from '../commands/doctor.ts';
import { Interrupted } from '../failures.ts';
import { type CaptureOptions, captureRun } from '../testing/captured-run.ts';
import type { GenerationReport } from './report.ts';

interface Expected {
  prompt: string;
  prompt_ids: number[];
  greedy_ids: number[];
  greedy_text: string;
}
const expected = JSON.parse(await readFile(new URL('../../models/stories-expected.json', import.meta.url), 'utf8'))
  .generation as Expected[];
const fox = expected[0]!;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xlstm-cli-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs generate on the CPU device. */
function generate(argv: readonly string[], options?: CaptureOptions) {
  return captureRun(['generate', '--device', 'cpu', ...argv], options);
}

async function generateJson(argv: readonly string[], options?: CaptureOptions): Promise<GenerationReport> {
  const { code, stdout, stderr } = await generate([...argv, '--json'], options);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(stdout.trimEnd().split('\n')).toHaveLength(1);
  return JSON.parse(stdout);
}

describe('generate', () => {
  it('has the four prompts of the built-in model to go by', () => expect(expected).toHaveLength(4));

  it.each(expected)('continues "$prompt" as the reference does', async ({ prompt, ...reference }) => {
    const length = reference.greedy_ids.length;
    const argv = ['--prompt', prompt, '--temperature', '0', '--dtype', 'fp32', '--max-new-tokens', `${length}`];
    const report = await generateJson(argv);
    expect(report.promptIds).toEqual(reference.prompt_ids);
    expect(report.ids).toEqual(reference.greedy_ids);
    expect(report.text).toBe(reference.greedy_text);
    expect(report).toMatchObject({
      dtype: 'fp32',
      finishReason: 'length',
      tokenizer: 'tokenizer.json',
      device: { kind: 'cpu', reason: 'cpu, as asked' },
    });
    expect(report.timings).toMatchObject({ promptTokens: reference.prompt_ids.length, newTokens: length });
    for (const time of Object.values(report.timings)) expect(time).toBeGreaterThan(0);
  });

  const greedy = ['--temperature', '0', '--dtype', 'fp32', '--max-new-tokens', '16'];
  const start = fox.greedy_text.slice(0, 30);

  it('streams the text in pieces and ends the line', async () => {
    const pieces: string[] = [];
    const { stdout, stderr } = await generate(['--prompt', fox.prompt, ...greedy], { onStdout: (s) => pieces.push(s) });
    expect(stdout.startsWith(start)).toBe(true);
    expect(stdout.endsWith('\n')).toBe(true);
    expect(pieces.length).toBeGreaterThan(10);
    expect(stderr).toBe('');
  });

  it('takes the prompt from a file or a pipe, less the line break at its end', async () => {
    const file = join(folder, 'prompt.txt');
    await writeFile(file, `${fox.prompt}\n`);
    const short = ['--temperature', '0', '--max-new-tokens', '2'];
    const fromFile = await generateJson(['--prompt-file', file, ...short]);
    const fromPipe = await generateJson(short, { stdin: `${fox.prompt}\r\n` });
    const fromDash = await generateJson(['--prompt-file', '-', ...short], { stdin: fox.prompt });
    for (const report of [fromFile, fromPipe, fromDash]) expect(report.promptIds).toEqual(fox.prompt_ids);
  });

  it('begins with BOS alone for an empty prompt', async () => {
    const report = await generateJson(['--prompt', '', '--temperature', '0', '--max-new-tokens', '3']);
    expect(report.promptIds).toEqual([0]);
    expect(report.ids).toHaveLength(3);
  });

  it('ends before the first of several stop texts', async () => {
    const [first, second] = [' who had', ' king'];
    expect(fox.greedy_text).toContain(first);
    const report = await generateJson(['--prompt', fox.prompt, ...greedy, '--stop', first, '--stop', second]);
    expect(report.text).toBe(fox.greedy_text.slice(0, fox.greedy_text.indexOf(second)));
    expect(report.finishReason).toBe('stop');
  });

  it('draws the same again with the same seed, and others without', async () => {
    const argv = ['--prompt', fox.prompt, '--max-new-tokens', '24', '--temperature', '1.2', '--top-k', '200'];
    const first = await generateJson(argv);
    const again = await generateJson([...argv, '--seed', `${first.seed}`]);
    const other = await generateJson([...argv, '--seed', `${first.seed + 1}`]);
    expect(again.ids).toEqual(first.ids);
    expect(again.seed).toBe(first.seed);
    expect(other.ids).not.toEqual(first.ids);
  });

  it.each([
    ['--top-k', '1'],
    ['--top-p', '0.0001'],
    ['--min-p', '1'],
  ])('is greedy with %s %s, so the option is heard', async (option, value) => {
    const argv = ['--prompt', fox.prompt, '--dtype', 'fp32', '--max-new-tokens', '12', option, value];
    expect((await generateJson(argv)).ids).toEqual(fox.greedy_ids.slice(0, 12));
  });

  it('repeats less with a repetition penalty', async () => {
    const argv = [
      '--prompt',
      fox.prompt,
      '--temperature',
      '0',
      '--max-new-tokens',
      '48',
      '--repetition-penalty',
      '1.5',
    ];
    const { ids } = await generateJson(argv);
    expect(new Set(ids).size).toBeGreaterThan(new Set(fox.greedy_ids.slice(0, 48)).size);
  });

  it('prints statistics on stderr alone', async () => {
    const { code, stdout, stderr } = await generate(['--prompt', fox.prompt, ...greedy, '--stats']);
    expect(code).toBe(0);
    expect(stdout.startsWith(start)).toBe(true);
    expect(stdout).not.toMatch(/tokens\/s/);
    expect(stderr).toMatch(/^model\s+stories \(built in\), fp32$/m);
    expect(stderr).toMatch(/^prefill\s+5 tokens in .+, [\d.]+ tokens\/s$/m);
    expect(stderr).toMatch(/^decode\s+16 tokens in .+, [\d.]+ tokens\/s, \d+ dispatches a token$/m);
    expect(stderr).toMatch(/^memory\s+weights 27\.7 MB, state 216 kB, process peak \d+/m);
    expect(stderr).toMatch(/^finish\s+length; seed \d+$/m);
  });

  it('shows the device and the progress to a terminal, unless told to be quiet', async () => {
    const argv = ['--prompt', fox.prompt, '--temperature', '0', '--max-new-tokens', '1'];
    const shown = await generate(argv, { stderrIsTty: true });
    expect(shown.stderr).toMatch(/loading stories \(built in\) \[=* *\] +\d+%/);
    expect(shown.stderr).toMatch(/device: cpu, as asked\n$/);
    expect((await generate([...argv, '--quiet'], { stderrIsTty: true })).stderr).toBe('');
    expect((await generate([...argv, '--json'], { stderrIsTty: true })).stderr).toBe('');
  });

  it('ends with 130 in the middle of a line when interrupted', async () => {
    const interrupt = new AbortController();
    const onStdout = (soFar: string) => {
      if (soFar.length > 20) interrupt.abort(new Interrupted());
    };
    const argv = ['--prompt', fox.prompt, '--temperature', '0', '--max-new-tokens', '100000'];
    const { code, stdout, stderr } = await generate(argv, { interrupt, onStdout });
    expect(code).toBe(130);
    expect(fox.greedy_text.startsWith(stdout.trimEnd())).toBe(true);
    expect(stdout.endsWith('\n')).toBe(true);
    expect(stderr).toBe('');
  });

  it('prints no half JSON object when interrupted', async () => {
    const interrupt = new AbortController();
    setTimeout(() => interrupt.abort(new Interrupted()), 300);
    const { code, stdout } = await generate(['--prompt', 'A', '--json', '--max-new-tokens', '100000'], { interrupt });
    expect(code).toBe(130);
    expect(stdout).toBe('');
  });
});

const { devices } = await examine();
const webgpu = devices.find(({ kind }) => kind === 'webgpu');
// Where CI requires the device, its absence is a failure.
const skipsWebgpu = !webgpu?.available && !process.env.XLSTM_REQUIRE_DEVICES?.split(',').includes('webgpu');
if (skipsWebgpu) console.warn(`skipped: generate on WebGPU: ${webgpu && 'reason' in webgpu ? webgpu.reason : ''}`);

describe.skipIf(skipsWebgpu)('generate on WebGPU', () => {
  it('draws what the CPU device draws', async () => {
    // From BOS alone, which software adapters can read in little time.
    const argv = ['--prompt', '', '--temperature', '0', '--max-new-tokens', '2'];
    const { code, stdout } = await captureRun(['generate', ...argv, '--device', 'webgpu', '--json']);
    expect(code).toBe(0);
    const report = JSON.parse(stdout) as GenerationReport;
    expect(report.device).toMatchObject({ kind: 'webgpu' });
    expect(report.ids).toEqual((await generateJson(argv)).ids);
  });
});
