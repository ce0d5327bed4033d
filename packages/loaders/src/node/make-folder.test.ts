import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeFolder } from './make-folder.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'xlstm-make-folder-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

it('makes a folder and those above it, once or again', async () => {
  const folder = join(root, 'a/b/c');
  await makeFolder(folder);
  await makeFolder(folder);
  expect((await stat(folder)).isDirectory()).toBe(true);
});

it('makes it for several at once', async () => {
  const folders = Array.from({ length: 20 }, (_, at) => join(root, `x/y/z/${at % 4}`));
  await Promise.all(folders.map(makeFolder));
  for (const folder of folders) expect((await stat(folder)).isDirectory()).toBe(true);
});

it('fails where a file is in the way', async () => {
  await writeFile(join(root, 'file'), '');
  await expect(makeFolder(join(root, 'file'))).rejects.toThrow(/EEXIST/);
  await expect(makeFolder(join(root, 'file/below'))).rejects.toThrow(/ENOTDIR/);
});

it.skipIf(process.platform !== 'linux')('returns where no folder can be made, as in /proc', async () => {
  await expect(makeFolder('/proc/xlstm/below')).rejects.toThrow(/ENOENT|EACCES/);
});
