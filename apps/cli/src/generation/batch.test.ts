import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Interrupted } from '../failures.ts';
import { type CaptureOptions, captureRun } from '../testing/captured-run.ts';
import type { BatchReport } from './batch.ts';

const { generation: stories } = JSON.parse(
  readFileSync(new URL('../../models/stories-expected.json', import.meta.url), 'utf8'),
) as { generation: { prompt: string; greedy_ids: number[]; prompt_ids: number[]; greedy_text: string }[] };

function generate(argv: readonly string[], options?: CaptureOptions) {
  return captureRun(['generate', '--device', 'cpu', '--dtype', 'fp32', ...argv], options);
}
const greedy = ['--temperature', '0', '--max-new-tokens', '6'];
const reportsOf = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as BatchReport);
const stdin = `${stories.map(({ prompt }) => prompt).join('\n')}\n`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xlstm-cli-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('continues the prompts of a file, and prints one JSON object a line, in order', async () => {
  await writeFile(join(folder, 'prompts.txt'), stdin);
  const argv = ['--prompts-file', join(folder, 'prompts.txt'), '--batch-size', '3', '--seed', '5', '--json', ...greedy];
  const { code, stdout, stderr } = await generate(argv);
  expect([code, stderr]).toEqual([0, '']);
  const reports = reportsOf(stdout);
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

it('skips empty lines, of both systems, and a byte order mark', async () => {
  const argv = ['--prompts-file', '-', '--json', '--temperature', '0', '--max-new-tokens', '1'];
  const { code, stdout } = await generate(argv, { stdin: '\ufeffThe fox\r\n\r\n\n  said \n\n' });
  expect(code).toBe(0);
  expect(reportsOf(stdout).map(({ index, prompt }) => [index, prompt])).toEqual([
    [0, 'The fox'],
    [1, '  said '],
  ]);
});

it('takes from a line of JSON what goes for that prompt alone, and ends it there', async () => {
  const path = join(folder, 'prompts.jsonl');
  const { prompt, greedy_ids: ids, greedy_text: text } = stories[0]!;
  const lines = [
    { prompt },
    { prompt, maxNewTokens: 3 },
    { prompt, stop: [' king'] },
    { prompt: 'One\nTwo', temperature: 1.2, topK: 50, topP: 0.9, minP: 0.01, repetitionPenalty: 1.1, seed: 5 },
  ];
  await writeFile(path, `${lines.map((line) => JSON.stringify(line)).join('\n\n')}\n`);
  const argv = ['--prompts-file', path, '--batch-size', '2', '--seed', '40', '--logprobs', '1', ...greedy];
  const { code, stdout } = await generate([...argv, '--json']);
  expect(code).toBe(0);
  const reports = reportsOf(stdout);
  expect(reports.map(({ seed }) => seed)).toEqual([40, 41, 42, 5]);
  expect(reports.map(({ finishReason }) => finishReason)).toEqual(['length', 'length', 'stop', 'length']);
  expect(reports[0]!.ids).toEqual(ids.slice(0, 6));
  expect(reports[1]!.ids).toEqual(ids.slice(0, 3));
  expect(reports[2]!.text).toBe(text.slice(0, text.indexOf(' king')));
  for (const { ids, logprobs } of reports) expect(logprobs).toHaveLength(ids.length);
  const sampling = '--temperature 1.2 --top-k 50 --top-p 0.9 --min-p 0.01 --repetition-penalty 1.1 --seed 5'.split(' ');
  const alone = await generate(['--prompt', 'One\nTwo', '--max-new-tokens', '6', '--json', ...sampling]);
  expect(reports[3]).toMatchObject({ ids: (JSON.parse(alone.stdout) as BatchReport).ids, prompt: 'One\nTwo' });

  const shown = await generate(['--prompts-file', path, ...greedy]);
  expect(shown.stdout.match(/^--- .*$/gm)).toEqual(
    [1, 2, 3].map((at) => `--- ${at}: ${prompt}`).concat('--- 4: One\\nTwo'),
  );
});

it.each([
  ['{"prompt": "a"', /:2: must be a JSON object on one line: /],
  ['["a"]', /:2: must be a JSON object with a "prompt", got \["a"\]/],
  ['{"text": "a"}', /:2: "prompt" must be a text, got undefined/],
  ['{"prompt": "a", "topP": 7}', /:2: "topP" must be a number above 0 and at most 1, got 7/],
  ['{"prompt": "a", "maxNewTokens": "9"}', /:2: "maxNewTokens" must be a whole number from 0 up, got "9"/],
  ['{"prompt": "a", "stop": ["x", ""]}', /:2: "stop" must be a text or a list of texts, none empty, got \["x",""\]/],
  ['{"prompt": "a", "top_p": 1}', /:2: there is no field "top_p"; a line has prompt, maxNewTokens, temperature/],
])('refuses the line %s among good ones, by its number, before anything is loaded', async (line, message) => {
  const path = join(folder, 'bad.jsonl');
  await writeFile(path, `{"prompt": "good"}\n${line}\n{"prompt": "good"}\n`);
  const { code, stdout, stderr } = await generate(['--prompts-file', path, '--model', '/nowhere']);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(message);
});

it('has printed what was over, in whole lines, when it is interrupted', async () => {
  const interrupt = new AbortController();
  const path = join(folder, 'long.jsonl');
  const lines = [{ prompt: 'A', maxNewTokens: 3 }, { prompt: 'The' }, { prompt: 'One', maxNewTokens: 1 }];
  await writeFile(path, lines.map((line) => JSON.stringify(line)).join('\n'));
  const argv = ['--prompts-file', path, '--temperature', '0', '--max-new-tokens', '100000', '--json'];
  const onStdout = () => interrupt.abort(new Interrupted());
  const { code, stdout, stderr } = await generate(argv, { interrupt, onStdout });
  expect(code).toBe(130);
  expect(reportsOf(stdout).map(({ index, ids }) => [index, ids.length])).toEqual([[0, 3]]);
  expect(stderr).toBe('\n');
});

it('shows a terminal how many texts and tokens there are, unless told to be quiet', async () => {
  const argv = ['--prompts-file', '-', '--batch-size', '2', ...greedy];
  const shown = await generate(argv, { stdin, stderrIsTty: true });
  expect(shown.stderr).toMatch(/0 of 4 texts, \d tokens? \[ *\] +0%/);
  expect((await generate([...argv, '--quiet'], { stdin, stderrIsTty: true })).stderr).toBe('');
});

it.each([
  [['--prompts-file', '-', '--prompt', 'a'], 'a\n', /--prompt is for one prompt and --prompts-file for many/],
  [['--prompts-file', '-', '--state-out', 'x.state'], 'a\n', /--state-out is for one prompt/],
  [['--prompts-file', '-', '--state-in', 'x.state'], 'a\n', /--state-in is for one prompt/],
  [['--prompts-file', '-', '--prompt-file', '-'], 'a\n', /--prompt-file is for one prompt/],
  [['--prompts-file', '-', '--logprobs', '2'], 'a\n', /--logprobs is part of --json/],
  [['--prompts-file', '-'], '', /stdin has no prompts; write one on each line/],
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
