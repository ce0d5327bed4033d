import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type CaptureOptions, captureRun } from '../testing/captured-run.ts';
import type { BatchReport } from './batch.ts';

const { generation: stories } = JSON.parse(
  readFileSync(new URL('../../models/stories-expected.json', import.meta.url), 'utf8'),
) as { generation: { prompt: string; greedy_ids: number[]; prompt_ids: number[]; greedy_text: string }[] };

function generate(argv: readonly string[], options?: CaptureOptions) {
  return captureRun(['generate', '--device', 'cpu', '--dtype', 'fp32', ...argv], options);
}
const greedy = ['--temperature', '0', '--max-new-tokens', '6'];
const stdin = `${stories.map(({ prompt }) => prompt).join('\n')}\n`;

it('continues the prompts of a file, and prints one JSON object a line, in order', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'xlstm-cli-'));
  await writeFile(join(folder, 'prompts.txt'), stdin);
  const argv = ['--prompts-file', join(folder, 'prompts.txt'), '--batch-size', '3', '--seed', '5', '--json', ...greedy];
  const { code, stdout, stderr } = await generate(argv);
  await rm(folder, { recursive: true });
  expect([code, stderr]).toEqual([0, '']);
  const reports = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as BatchReport);
  expect(reports).toHaveLength(4);
  reports.forEach((report, index) => {
    const { prompt, prompt_ids: promptIds, greedy_ids: ids } = stories[index]!;
    expect(report).toMatchObject({
      index,
      prompt,
      promptIds,
      ids: ids.slice(0, 6),
      seed: 5 + index,
      finishReason: 'length',
    });
  });
});

it('prints the texts under their prompts, from a pipe, with statistics of all on stderr', async () => {
  const { code, stdout, stderr } = await generate(['--prompts-file', '-', '--stats', ...greedy], { stdin });
  expect(code).toBe(0);
  const lines = stdout.split('\n');
  expect(lines.filter((line) => line.startsWith('--- '))).toEqual(
    stories.map(({ prompt }, index) => `--- ${index + 1}: ${prompt}`),
  );
  expect(stories[0]!.greedy_text.startsWith(lines[1]!)).toBe(true);
  expect(stderr).toMatch(/^prompts\s+4, 8 at a time$/m);
  expect(stderr).toMatch(/^all\s+24 new tokens in .+ tokens\/s$/m);
});

it.each([
  [['--prompts-file', '-', '--prompt', 'a'], 'a\n', /--prompt is for one prompt and --prompts-file for many/],
  [['--prompts-file', '-', '--state-out', 'x.state'], 'a\n', /--state-out is for one prompt/],
  [['--prompts-file', '-'], '\n\n', /stdin has no prompts; write one on each line/],
  [['--prompt', 'a', '--batch-size', '2'], '', /--batch-size goes with --prompts-file/],
  [['--prompts-file', '-', '--batch-size', '0'], 'a\n', /a whole number from 1 up/],
])('refuses %j as a command line', async (argv, input, message) => {
  const { code, stdout, stderr } = await generate(argv, { stdin: input });
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(message);
});

it('says which file cannot be read', async () => {
  const { code, stderr } = await generate(['--prompts-file', '/nowhere/prompts.txt']);
  expect(code).toBe(1);
  expect(stderr).toMatch(/--prompts-file: cannot read \/nowhere\/prompts.txt/);
});
