import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointError, ShapeError } from '@xlstm/device';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeSafetensors, type NamedTensor } from '../safetensors/encode-safetensors.ts';
import { writeSafetensors } from './write-safetensors.ts';

const tensors: NamedTensor[] = [
  { name: 'w', dtype: 'F32', shape: [2, 2], data: new Float32Array([1, 2, 3, 4]) },
  { name: 'e', dtype: 'F16', shape: [0], data: new Uint16Array(0) },
];
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xlstm-write-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('writeSafetensors', () => {
  it('writes the bytes of encodeSafetensors, over an older file too, and leaves nothing beside it', async () => {
    const path = join(folder, 'model.safetensors');
    await writeFile(path, 'older');
    await writeSafetensors(path, tensors, { metadata: { format: 'pt' } });
    expect(new Uint8Array(await readFile(path))).toEqual(encodeSafetensors(tensors, { metadata: { format: 'pt' } }));
    expect(await readdir(folder)).toEqual(['model.safetensors']);
  });

  it('leaves the older file as it was when the input is bad or the signal aborts', async () => {
    const path = join(folder, 'model.safetensors');
    await writeFile(path, 'older');
    await expect(writeSafetensors(path, [{ ...tensors[0]!, shape: [5] }])).rejects.toThrow(ShapeError);
    const reason = new Error('stop');
    await expect(writeSafetensors(path, tensors, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const midway = new AbortController();
    const writing = writeSafetensors(path, tensors, { signal: midway.signal });
    midway.abort(reason);
    await expect(writing).rejects.toBe(reason);
    expect(await readFile(path, 'utf8')).toBe('older');
    expect(await readdir(folder)).toEqual(['model.safetensors']);
  });

  it('removes its temporary file when the rename fails', async () => {
    await mkdir(join(folder, 'taken/full'), { recursive: true });
    await expect(writeSafetensors(join(folder, 'taken'), tensors)).rejects.toThrow(CheckpointError);
    expect(await readdir(folder)).toEqual(['taken']);
  });

  it('names the path when its folder is missing', async () => {
    await expect(writeSafetensors(join(folder, 'no/where.safetensors'), tensors)).rejects.toThrow(/where\.safetensors/);
  });
});
