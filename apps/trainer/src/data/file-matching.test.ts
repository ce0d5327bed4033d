import { mkdirSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findDataFiles } from './file-matching.ts';
import { temporaryFolder, writeFiles } from './testing/temporary-folder.ts';

const folder = writeFiles(temporaryFolder(), {
  'b.txt': 'b',
  'a.TXT': 'a',
  'picture.png': 'x',
  '.hidden.txt': 'h',
  'deep/er/c.md': 'c',
  'deep/d.jsonl': '{}',
  'tokens/e.bin': 'ee',
  'odd[1].txt': 'o',
  'only-pictures/p.png': 'p',
});
mkdirSync(join(folder, 'empty'));

async function found(path: string): Promise<string[]> {
  return (await findDataFiles(path, folder)).map((file) => `${file.kind} ${relative(folder, file.path)}`);
}

describe('findDataFiles', () => {
  test('a folder: all data files below, sorted, hidden ones left out', async () => {
    expect(await found('.')).toEqual([
      'text a.TXT',
      'text b.txt',
      'jsonl deep/d.jsonl',
      'text deep/er/c.md',
      'text odd[1].txt',
      'tokens tokens/e.bin',
    ]);
  });

  test('globs', async () => {
    expect(await found('*.txt')).toEqual(['text b.txt', 'text odd[1].txt']);
    expect(await found('deep/**/*.{md,jsonl}')).toEqual(['jsonl deep/d.jsonl', 'text deep/er/c.md']);
    expect(await found(join(folder, 'tokens', '*.bin'))).toEqual(['tokens tokens/e.bin']);
    expect(await found('[ab].txt')).toEqual(['text b.txt']);
  });

  test('a name that exists is that file, whatever its characters', async () => {
    expect(await found('odd[1].txt')).toEqual(['text odd[1].txt']);
  });

  test.each([
    ['*.nothing', /found no file/],
    ['nowhere/*.txt', /found no file/],
    ['missing.txt', /found no file/],
    ['empty', /found no file/],
    ['only-pictures', /found only files of other kinds, such as .*p\.png/],
    ['picture.png', /expected a file of \.txt \.md \.jsonl \.bin, got .*picture\.png/],
    ['b.txt/*.txt', /found no file/],
  ])('%s is refused', async (path, message) => {
    await expect(found(path)).rejects.toMatchObject({ name: 'DataError', message: expect.stringMatching(message) });
  });

  test('a link to nothing cannot be read', async () => {
    symlinkSync(join(folder, 'gone'), join(folder, 'link.txt'));
    await expect(found('link.txt')).rejects.toMatchObject({ name: 'DataError' });
  });
});
