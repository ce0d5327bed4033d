import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OptionError, TokenizerError } from '@xlstm/device';
import { loadTokenizer } from '@xlstm/tokenizer';
import { describe, expect, it } from 'vitest';
import { DataError } from '../data/data-error.ts';
import { temporaryFolder, writeFiles } from '../data/testing/temporary-folder.ts';
import { type TrainTokenizerOptions, trainTokenizer } from './train-tokenizer.ts';

const folder = writeFiles(temporaryFolder(), {
  'text/a.txt': 'the cat sat on the mat\n<|endoftext|>\nthe hat of the cat\n',
  'text/b.md': 'the cat and the hat\n',
  'text/c.jsonl': '{"text": "the rat"}\n{"text": "that cat"}\n',
  'text/ids.bin': new Uint8Array([1, 0]),
  'other/picture.txt': new Uint8Array([0x89, 0x50, 0, 0xff]),
  'other/blank.txt': ' \n',
  'ids/only.bin': new Uint8Array([1, 0]),
});

let files = 0;
const fresh = (): string => `out/${files++}/tokenizer.json`;

function train(options: Partial<TrainTokenizerOptions> = {}) {
  const said: string[] = [];
  const progress: [string, number][] = [];
  const controller = new AbortController();
  const done = trainTokenizer(
    { text: ['text/*'], vocabSize: 265, out: fresh(), baseDir: folder, ...options },
    {
      write: (text) => said.push(text),
      onProgress: (label, fraction) => progress.push([label, fraction]),
      signal: controller.signal,
    },
  );
  return { done, said, progress, abort: (reason: Error) => controller.abort(reason) };
}

describe('trainTokenizer', () => {
  it('writes a tokenizer.json that loads, and says what it is', async () => {
    const out = fresh();
    const { done, said, progress } = train({ out });
    const made = await done;
    expect(made).toEqual({ path: join(folder, out), vocabSize: 265, documents: 5, bytes: 22 + 19 + 20 + 7 + 8 });
    expect(readdirSync(join(folder, out, '..'))).toEqual(['tokenizer.json']);
    const tokenizer = loadTokenizer({ tokenizerJson: readFileSync(made.path, 'utf8') });
    expect(tokenizer.vocabSize).toBe(265);
    expect(tokenizer.decode(tokenizer.encode('the cat<|endoftext|>'))).toBe('the cat<|endoftext|>');
    expect(tokenizer.encode('the cat').length).toBe(2);
    expect(tokenizer.encode('<|endoftext|>')).toEqual([0]);
    expect(said.join('')).toBe(`${made.path}: 265 entries from 5 documents, 0.0 MB\n`);
    expect(progress.at(-1)).toEqual(['merging', 1]);
    for (const [, fraction] of progress) expect(fraction >= 0 && fraction <= 1).toBe(true);
  });

  it('gives the same file again, and reads a file once that several paths name', async () => {
    const first = await train().done;
    const again = await train({ text: ['text/a.txt', 'text', 'text/*.txt'] }).done;
    expect(readFileSync(again.path, 'utf8')).toBe(readFileSync(first.path, 'utf8'));
  });

  it('says when the text does not give as many entries as asked for', async () => {
    const { done, said } = train({ vocabSize: 5000 });
    expect((await done).vocabSize).toBeLessThan(300);
    expect(said[1]).toMatch(/5,000 were asked for: no pair is left that comes 2 times.*--min-frequency/);
  });

  it('writes over a file only with force', async () => {
    const out = fresh();
    mkdirSync(join(folder, out, '..'), { recursive: true });
    writeFileSync(join(folder, out), 'mine');
    await expect(train({ out }).done).rejects.toThrow(/is there already; .*--force/);
    await expect(train({ out }).done).rejects.toThrow(OptionError);
    expect(readFileSync(join(folder, out), 'utf8')).toBe('mine');
    await train({ out, force: true }).done;
    expect(readFileSync(join(folder, out), 'utf8')).toMatch(/^\{\n {2}"version"/);
    await expect(train({ out: 'text', force: true }).done).rejects.toThrow(/got the folder .*add a file name/);
  });

  it.each<[string, Partial<TrainTokenizerOptions>, new (message: string) => Error, RegExp]>([
    ['no paths', { text: [] }, OptionError, /give --text/],
    ['a path that is not there', { text: ['nothing/*.txt'] }, DataError, /found no file/],
    ['ids', { text: ['ids'] }, DataError, /got only \.bin files/],
    ['a binary file', { text: ['text', 'other/picture.txt'] }, DataError, /picture\.txt, a NUL byte at offset 2/],
    ['white space alone', { text: ['other/blank.txt'] }, TokenizerError, /there is no text to learn from/],
    ['a vocabulary too small', { vocabSize: 100 }, OptionError, /vocabSize must be an integer in 257/],
  ])('refuses %s and writes nothing', async (_, options, error, message) => {
    const out = fresh();
    await expect(train({ out, ...options }).done).rejects.toThrow(error);
    await expect(train({ out, ...options }).done).rejects.toThrow(message);
    expect(existsSync(join(folder, out))).toBe(false);
  });

  it('stops when aborted, and writes nothing', async () => {
    const out = fresh();
    const reason = new Error('enough');
    const { done, abort } = train({ out });
    abort(reason);
    await expect(done).rejects.toBe(reason);
    expect(existsSync(join(folder, out))).toBe(false);
  });
});
