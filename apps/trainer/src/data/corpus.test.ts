import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Corpus, type CorpusOptions, openCorpus } from './corpus.ts';
import { temporaryFolder, writeFiles } from './testing/temporary-folder.ts';
import { type CorpusTokenizer, readDocuments } from './tokenize-files.ts';

const END = '<|endoftext|>';
const folder = temporaryFolder();
let run = 0;
let dir: string;
let tokenized: string[];
let tokenizer: CorpusTokenizer;
let opened: Corpus[] = [];

afterEach(async () => {
  for (const corpus of opened) await corpus.stream.close();
  opened = [];
});

beforeEach(() => {
  dir = join(folder, String(run++));
  tokenized = [];
  // Bytes, with 0 free to mark documents: text holds no NUL.
  tokenizer = {
    tokenize: (text) => {
      tokenized.push(text);
      return [...Buffer.from(text)];
    },
    vocabSize: 256,
    documentId: 0,
    fingerprint: 'bytes',
  };
});

async function open(options: Partial<CorpusOptions> = {}): Promise<Corpus> {
  const corpus = await openCorpus({
    path: 'text',
    baseDir: dir,
    tokenizer,
    documentSeparator: END,
    cacheDir: join(dir, 'out', 'tokens'),
    ...options,
  });
  opened.push(corpus);
  return corpus;
}

async function textOf({ stream }: Corpus): Promise<string> {
  const ids = new Int32Array(stream.tokens);
  await stream.read(0, ids);
  return Buffer.from(ids).toString().replaceAll('\0', '|');
}

describe('openCorpus', () => {
  test('documents of all kinds of files in one stream, each after its id', async () => {
    writeFiles(dir, {
      'text/b.txt': `One\n${END}\nTwo`,
      'text/a.md': '# Title\n',
      'text/c.jsonl': '{"text":"Three"}\n{"text":"Four"}\n',
      'text/d.bin': Buffer.from([0, 0, 0x78, 0, 0x79, 0]),
    });
    const corpus = await open({ shardTokens: 7 });
    expect(await textOf(corpus)).toBe('|# Title\n|One|Two|Three|Four|xy');
    expect(corpus.text).toEqual({ documents: 5, bytes: 8 + 3 + 3 + 5 + 4 });
    expect(corpus.files.map((file) => file.slice(-6))).toEqual(['t/a.md', '/b.txt', '.jsonl', '/d.bin']);
  });

  test('no document id, other field, uint32', async () => {
    writeFiles(dir, { 'text/c.jsonl': '{"body":"ab"}\n{"body":"cd"}' });
    const wide: CorpusTokenizer = { ...tokenizer, documentId: undefined, vocabSize: 100_000 };
    const corpus = await open({ textField: 'body', tokenizer: wide });
    expect(await textOf(corpus)).toBe('abcd');
  });

  test('text is tokenised once; new shards only where text, tokenizer or options differ', async () => {
    writeFiles(dir, { 'text/a.txt': `One\n${END}\nTwo` });
    const first = await open();
    expect(tokenized).toEqual(['One', 'Two']);
    const again = await open();
    expect(tokenized.length).toBe(2);
    expect(again.stream.fingerprint).toBe(first.stream.fingerprint);
    expect(again.text).toEqual(first.text);
    expect(await textOf(again)).toBe('|One|Two');

    // Touched, or moved elsewhere: the same text.
    utimesSync(join(dir, 'text/a.txt'), 1, 1);
    writeFiles(dir, { 'elsewhere/z.txt': `One\n${END}\nTwo` });
    expect((await open()).stream.fingerprint).toBe(first.stream.fingerprint);
    expect((await open({ path: 'elsewhere/*.txt' })).stream.fingerprint).toBe(first.stream.fingerprint);
    expect(tokenized.length).toBe(2);

    for (const other of [
      { tokenizer: { ...tokenizer, fingerprint: 'other' } },
      { tokenizer: { ...tokenizer, documentId: 1 } },
      { documentSeparator: undefined },
    ]) {
      const before = tokenized.length;
      expect((await open(other)).stream.fingerprint).not.toBe(first.stream.fingerprint);
      expect(tokenized.length).toBeGreaterThan(before);
    }
    // Of the same length.
    writeFileSync(join(dir, 'text/a.txt'), `One\n${END}\nTen`);
    const changed = await open();
    expect(await textOf(changed)).toBe('|One|Ten');
    expect(changed.stream.fingerprint).not.toBe(first.stream.fingerprint);
  });

  test('the same ids with and without a header are the same data', async () => {
    const ids = Buffer.from([1, 0, 2, 0]);
    const header = Buffer.alloc(1024);
    for (const [i, word] of [20240520, 1, 2].entries()) header.writeInt32LE(word, 4 * i);
    writeFiles(dir, { 'a.bin': ids, 'b.bin': Buffer.concat([header, ids]) });
    const [a, b] = [await open({ path: 'a.bin' }), await open({ path: 'b.bin' })];
    expect(a.stream.fingerprint).toBe(b.stream.fingerprint);
    expect(a.text).toBeUndefined();
  });

  test.each([
    ['a truncated shard', (shard: string) => truncateSync(shard, 1025)],
    ['a missing shard', (shard: string) => rmSync(shard)],
    ['a damaged manifest', (shard: string) => writeFileSync(shard.replace('-00000.bin', '.json'), '{"sha')],
    ['a damaged index', (shard: string) => writeFileSync(join(shard, '..', 'files.json'), 'nul')],
  ])('%s in the cache is made anew', async (what, damage) => {
    writeFiles(dir, { 'text/a.txt': 'Once' });
    await open();
    const cache = join(dir, 'out', 'tokens');
    damage(join(cache, readdirSync(cache).find((name) => name.endsWith('-00000.bin'))!));
    expect(await textOf(await open())).toBe('|Once');
    expect(tokenized.length).toBe(what === 'a damaged index' ? 1 : 2);
  });

  test('an interrupted tokenisation leaves nothing half written, and the next is whole', async () => {
    writeFiles(dir, { 'text/a.txt': `One\n${END}\nTwo` });
    const stop = new AbortController();
    const stopping: CorpusTokenizer = {
      ...tokenizer,
      tokenize: (text) => {
        stop.abort();
        return tokenizer.tokenize(text);
      },
    };
    const opening = open({ tokenizer: stopping, signal: stop.signal, shardTokens: 2 });
    await expect(opening).rejects.toMatchObject({ name: 'AbortError' });
    const names = readdirSync(join(dir, 'out', 'tokens'));
    expect(names.filter((name) => name.includes('.tmp-') || /^[0-9a-f]+\.json$/.test(name))).toEqual([]);
    expect(await textOf(await open({ shardTokens: 2 }))).toBe('|One|Two');
  });

  test('what a killed process left is removed, what is being written is not', async () => {
    writeFiles(dir, { 'text/a.txt': 'Once' });
    await open();
    const cache = join(dir, 'out', 'tokens');
    const manifest = readdirSync(cache).find((name) => /^[0-9a-f]+\.json$/.test(name))!;
    const shard = join(cache, manifest.replace('.json', '-00000.bin'));
    writeFiles(cache, { [`${manifest.replace('.json', '')}-00001.bin.tmp-00`]: 'old' });
    writeFiles(cache, { [`${manifest.replace('.json', '')}-00001.bin.tmp-11`]: 'new' });
    utimesSync(join(cache, manifest.replace('.json', '-00001.bin.tmp-00')), 1, 1);
    rmSync(shard);
    await open();
    expect(readdirSync(cache).filter((name) => name.includes('.tmp-'))).toEqual([
      manifest.replace('.json', '-00001.bin.tmp-11'),
    ]);
  });

  test('progress ends at all bytes, in both phases', async () => {
    writeFiles(dir, { 'text/a.txt': 'One', 'text/b.txt': 'Three', 'text/c.bin': Buffer.alloc(8) });
    const last = new Map<string, [number, number]>();
    await open({ onProgress: ({ phase, doneBytes, totalBytes }) => last.set(phase, [doneBytes, totalBytes]) });
    expect(Object.fromEntries(last)).toEqual({ reading: [16, 16], tokenizing: [8, 8] });
  });

  test.each([
    ['only white space', { 'text/a.txt': ' \n\n', 'text/b.md': '' }, /at least one document/],
    ['a binary file among the text', { 'text/a.txt': 'x', 'text/b.txt': Buffer.from([65, 0, 1]) }, /b\.txt, a NUL/],
    ['an odd .bin', { 'text/a.txt': 'x', 'text/b.bin': Buffer.alloc(3) }, /odd number of bytes/],
    ['an id out of range', { 'text/b.bin': Buffer.from([1, 0, 0, 1, 5, 0]) }, /ids of 0 … 255, got 256 at token 1 of/],
    ['no file', { 'other/a.txt': 'x' }, /found no file/],
    ['a bad JSON line', { 'text/a.jsonl': '{"text":"a"}\n{}\n' }, /line 2/],
  ])('%s is refused', async (_, files, message) => {
    writeFiles(dir, files);
    await expect(open()).rejects.toMatchObject({ name: 'DataError', message: expect.stringMatching(message) });
    const cache = join(dir, 'out', 'tokens');
    const names = existsSync(cache) ? readdirSync(cache) : [];
    expect(names.filter((name) => name !== 'files.json')).toEqual([]);
    // What was remembered about the files hides nothing the second time.
    await expect(open()).rejects.toMatchObject({ message: expect.stringMatching(message) });
  });

  test('a file that changes while it is tokenised', async () => {
    writeFiles(dir, { 'text/a.txt': 'One' });
    const tokenize = (text: string): number[] => {
      appendFileSync(join(dir, 'text/a.txt'), '!');
      return [...Buffer.from(text)];
    };
    // Appended after the first document came, before the end of the file was seen.
    writeFileSync(join(dir, 'text/a.txt'), `One\n${END}\nTwo`);
    await expect(open({ tokenizer: { ...tokenizer, tokenize } })).rejects.toThrow(/was changed while it was read/);
  });

  test('a tokenizer that gives other ids than its vocabulary, or an impossible document id', async () => {
    writeFiles(dir, { 'text/a.txt': 'One' });
    await expect(open({ tokenizer: { ...tokenizer, vocabSize: 100 } })).rejects.toThrow(/ids of 0 … 99, got 1\d\d/);
    await expect(open({ tokenizer: { ...tokenizer, documentId: 256 } })).rejects.toMatchObject({ name: 'ConfigError' });
  });

  test('a cache folder that cannot be', async () => {
    writeFiles(dir, { 'text/a.txt': 'One' });
    const cacheDir = join(dir, 'text', 'a.txt', 'tokens');
    await expect(open({ cacheDir })).rejects.toMatchObject({ name: 'DataError', file: cacheDir });
    expect(readFileSync(join(dir, 'text/a.txt'), 'utf8')).toBe('One');
  });
});

test('readDocuments gives the text that a tokenizer is trained on', async () => {
  writeFiles(dir, {
    'text/a.txt': `One\n${END}\nTwo`,
    'text/b.bin': Buffer.alloc(2),
    'text/c.jsonl': '{"text":"Three"}',
  });
  const texts: string[] = [];
  for await (const piece of readDocuments('text', { baseDir: dir, documentSeparator: END })) texts.push(piece.text);
  expect(texts).toEqual(['One', 'Two', 'Three']);
});
