import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { evaluateLoss } from '@xlstm/xlstm-large';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromPretrained } from 'xlstm';
import { builtInModel } from '../installed.ts';
import { captureRun } from '../testing/captured-run.ts';
import type { EvaluationReport } from './evaluation.ts';

const ROOT = resolve(import.meta.dirname, '../../../..');
const CORPUS = resolve(process.env.XLSTM_CORPUS || resolve(ROOT, '../shared/corpus'), 'stories-valid.txt');
const reference = JSON.parse(readFileSync(resolve(ROOT, 'apps/cli/models/stories-expected.json'), 'utf8')) as {
  first_4096_valid_tokens_nats: number;
};

const DOCUMENTS = [
  'Once upon a time there lived a king who had three sons.\n\nThe youngest was called Dummling, and was despised.',
  'The fox said, "Do not shoot me, and I will give you good counsel. You are on the way to the golden bird."',
  'It was a café in the wood,\r\nand the wolf was the host.',
];
const SEPARATOR = '<|endoftext|>';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xlstm-eval-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function fileOf(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

async function evaluated(...argv: string[]): Promise<EvaluationReport> {
  const { code, stdout, stderr } = await captureRun(['eval', '--device', 'cpu', '--dtype', 'fp32', '--json', ...argv]);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout) as EvaluationReport;
}

/** Mean loss by another way: logits of every position on the host, in float64. */
async function lossOfLogits(make: (encode: (text: string) => number[]) => number[][]): Promise<number> {
  const model = await fromPretrained(builtInModel, { device: 'cpu', dtype: 'fp32' });
  try {
    let nats = 0;
    let count = 0;
    for (const ids of make((text) => model.tokenizer.encode(text, { addBos: false }))) {
      nats += (ids.length - 1) * (await evaluateLoss(model.model, ids));
      count += ids.length - 1;
    }
    return nats / count;
  } finally {
    await model.dispose();
  }
}

describe('eval', () => {
  it('carries the state through all documents, each after BOS', async () => {
    const file = await fileOf('three.txt', DOCUMENTS.join(`\n${SEPARATOR}\n`));
    const report = await evaluated('--text', file);
    const expected = await lossOfLogits((encode) => [DOCUMENTS.flatMap((text) => [0, ...encode(text)])]);
    expect(report.loss).toBeCloseTo(expected, 5);
    expect(report.perplexity).toBeCloseTo(Math.exp(report.loss), 9);
    expect(report).toMatchObject({
      documents: 3,
      bytes: DOCUMENTS.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
      dtype: 'fp32',
      tokenizer: 'tokenizer.json',
      device: { kind: 'cpu' },
      context: null,
      stride: null,
    });
    expect(report.bitsPerByte).toBeCloseTo((report.loss * report.tokens) / Math.LN2 / report.bytes, 9);
    expect(report.tokensPerSecond).toBeCloseTo(report.tokens / report.seconds, 6);
  });

  it.each([
    [
      'separators at both ends and twice',
      `${SEPARATOR}\n${DOCUMENTS[0]}\n${SEPARATOR}\n \n${SEPARATOR}\n${DOCUMENTS[1]}\n${SEPARATOR}`,
    ],
    ['line breaks of Windows', `${DOCUMENTS[0]}\r\n${SEPARATOR}\r\n${DOCUMENTS[1]}`],
    ['a byte-order mark', `\ufeff${DOCUMENTS[0]}\n${SEPARATOR}\n${DOCUMENTS[1]}`],
  ])('finds the same documents between %s', async (name, text) => {
    const plain = await evaluated(
      '--text',
      await fileOf('plain.txt', `${DOCUMENTS[0]}\n${SEPARATOR}\n${DOCUMENTS[1]}`),
    );
    const report = await evaluated('--text', await fileOf(`${name}.txt`, text));
    expect([report.documents, report.tokens, report.bytes, report.loss]).toEqual([
      2,
      plain.tokens,
      plain.bytes,
      plain.loss,
    ]);
  });

  it('reads windows from an empty state, and counts every token once', async () => {
    const file = await fileOf('windows.txt', DOCUMENTS.join(`\n${SEPARATOR}\n`));
    const all = await evaluated('--text', file);
    const report = await evaluated('--text', file, '--context', '16');
    const expected = await lossOfLogits((encode) => {
      const ids = DOCUMENTS.flatMap((text) => [0, ...encode(text)]);
      const windows: number[][] = [];
      for (let start = 0; start < ids.length - 1; start += 16) windows.push(ids.slice(start, start + 17));
      return windows;
    });
    expect(report.loss).toBeCloseTo(expected, 5);
    expect(report).toMatchObject({ context: 16, stride: 16, tokens: all.tokens, bytes: all.bytes });
    const overlapping = await evaluated('--text', file, '--context', '16', '--stride', '4');
    expect(overlapping).toMatchObject({ context: 16, stride: 4, tokens: all.tokens });
    // More context is no worse, and none of it is as good as all.
    expect(overlapping.loss).toBeLessThan(report.loss);
    expect(all.loss).toBeLessThan(report.loss);
    const whole = await evaluated('--text', file, '--context', '100000');
    expect(whole.loss).toBeCloseTo(all.loss, 6);
  });

  it.skipIf(!existsSync(CORPUS))(
    'has the loss of the reference on the validation text (needs ../shared/corpus)',
    async () => {
      const report = await evaluated('--text', CORPUS, '--max-tokens', '4096');
      expect(report.tokens).toBe(4096);
      expect(Math.abs(report.loss - reference.first_4096_valid_tokens_nats)).toBeLessThan(0.001);
    },
    240_000,
  );

  it('says it to people, from a pipe, with a bar at a terminal', async () => {
    const argv = ['eval', '--text', '-', '--device', 'cpu', '--max-tokens', '12'];
    const { code, stdout, stderr } = await captureRun(argv, { stdin: DOCUMENTS[0]!, stderrIsTty: true });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^model {7}stories \(built in\), bf16\ndevice {6}cpu, as asked\n/);
    expect(stdout).toMatch(/^text {8}stdin: 1 document, \d\d bytes, 12 tokens predicted$/m);
    expect(stdout).toMatch(/^state {7}carried through the whole text$/m);
    expect(stdout).toMatch(/^loss {8}\d\.\d{4} nats per token$/m);
    expect(stdout).toMatch(/^perplexity {2}[\d.]+ per token$/m);
    expect(stdout).toMatch(/^bits {8}[\d.]+ per byte$/m);
    expect(stdout).toMatch(/^speed {7}[\d.]+ tokens\/s, .+s\n$/m);
    expect(stderr).toContain('reading 12 tokens [');
    expect(stderr.endsWith('\r\u001b[2K')).toBe(true);
  });

  it('ends on Ctrl-C', async () => {
    const interrupt = new AbortController();
    const { Interrupted } = await import('../failures.ts');
    const { code, stdout } = await captureRun(['eval', '--text', '-', '--device', 'cpu'], {
      stdin: 'The king said to his daughter. '.repeat(2000),
      stderrIsTty: true,
      interrupt,
      onStderr: (soFar) => soFar.includes('reading') && interrupt.abort(new Interrupted('SIGINT')),
    });
    expect(code).toBe(130);
    expect(stdout).toBe('');
  });

  it.each([
    ['no text', [], /required option '--text <file>' not specified/, 2],
    ['an empty text', ['--text', '-'], /--text: stdin is empty; name a file with text in it/, 2],
    ['a stride without windows', ['--text', 'x', '--stride', '4'], /add --context/, 2],
    [
      'a stride larger than the context',
      ['--text', 'x', '--context', '4', '--stride', '5'],
      /--stride must be at most --context, .*got 5 and 4/,
      2,
    ],
    ['windows of nothing', ['--text', 'x', '--context', '0'], /It must be a whole number from 1 up/, 2],
    ['a missing file', ['--text', 'no/such/file'], /--text: cannot read no\/such\/file: ENOENT/, 1],
    ['a folder', ['--text', import.meta.dirname], /--text: cannot read .*EISDIR/, 1],
    ['a missing model', ['no/such/model', '--text', import.meta.filename], /no\/such\/model/, 1],
  ] as const)('refuses %s', async (_, argv, message, exit) => {
    const { code, stdout, stderr } = await captureRun(['eval', ...argv], { stdin: ' \n' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(stdout).toBe('');
    expect(code).toBe(exit);
  });

  it.each([
    ['bytes that are no UTF-8', Uint8Array.of(0x66, 0xfc, 0x72), /must be UTF-8 text, got other bytes/],
    ['a binary file', Uint8Array.of(0x66, 0, 0x72), /must be UTF-8 text, got a NUL byte at offset 1/],
  ])('refuses %s', async (_, bytes, message) => {
    const { code, stderr } = await captureRun(['eval', '--text', await fileOf('binary.txt', bytes)]);
    expect(stderr).toMatch(message);
    expect(code).toBe(1);
  });

  it('refuses a text of nothing but separators', async () => {
    const file = await fileOf('separators.txt', `${SEPARATOR}\n${SEPARATOR}\n`);
    const { code, stderr } = await captureRun(['eval', '--text', file, '--device', 'cpu']);
    expect(stderr).toMatch(/^error: evaluateText: the text is empty/);
    expect(code).toBe(1);
  });
});
