import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointError, DisposedError, OptionError } from '@xlstm/device';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileSource } from '../node/file-source.ts';
import { blobSource } from './blob-source.ts';
import { type ByteSource, readInto } from './byte-source.ts';
import { bytesSource } from './bytes-source.ts';

const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xlstm-sources-'));
  await writeFile(join(folder, 'data.bin'), bytes);
});
afterAll(() => rm(folder, { recursive: true }));

const kinds: [string, () => Promise<ByteSource>][] = [
  ['fileSource', () => fileSource(join(folder, 'data.bin'))],
  ['bytesSource', async () => bytesSource(bytes, 'data.bin')],
  ['blobSource', async () => blobSource(new Blob([bytes]), 'data.bin')],
];

describe.each(kinds)('%s', (_, open) => {
  it('reads ranges and counts what it read', async () => {
    const source = await open();
    expect([source.name, source.size, source.bytesRead]).toEqual(['data.bin', 1000, 0]);
    expect([...(await source.read(300, 5))]).toEqual([...bytes.subarray(300, 305)]);
    expect(await source.read(1000, 0)).toHaveLength(0);
    const target = new Uint8Array(7);
    await readInto(source, 993, target);
    expect([...target]).toEqual([...bytes.subarray(993)]);
    expect(source.bytesRead).toBe(12);
    await source.close();
  });

  it.each([
    [999, 2],
    [-1, 1],
    [0, -1],
    [0.5, 1],
    [0, Number.NaN],
    [2 ** 53, 1],
  ])('refuses the range at %d of %d bytes', async (offset, length) => {
    const source = await open();
    await expect(source.read(offset, length)).rejects.toThrow(OptionError);
    await source.close();
  });

  it('rejects with the reason of an abort', async () => {
    const source = await open();
    const reason = new Error('stop');
    await expect(source.read(0, 10, AbortSignal.abort(reason))).rejects.toBe(reason);
    await source.close();
  });

  it('refuses reads after close, and closes twice without harm', async () => {
    const source = await open();
    await source.close();
    await source.close();
    await expect(source.read(0, 1)).rejects.toThrow(DisposedError);
  });
});

describe('fileSource', () => {
  it('names a file that is not there, and a folder', async () => {
    await expect(fileSource(join(folder, 'absent.bin'))).rejects.toThrow(/absent\.bin.*check the path/s);
    await expect(fileSource(folder)).rejects.toThrow(CheckpointError);
  });

  it('says so when the file shrinks while it is open', async () => {
    const path = join(folder, 'shrinking.bin');
    await writeFile(path, bytes);
    const source = await fileSource(path);
    await truncate(path, 10);
    await expect(source.read(0, 1000)).rejects.toThrow(/shrinking\.bin should give 1000 bytes at 0, got 10/);
    await source.close();
  });
});
