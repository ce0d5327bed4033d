import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointError } from '@xlstm/device';
import { afterAll, describe, expect, it } from 'vitest';
import type { HostTensor } from '../training/trainable-model.ts';
import { configJson, exportCore } from './huggingface.ts';

const root = await mkdtemp(join(tmpdir(), 'xlstm-export-'));
afterAll(() => rm(root, { recursive: true, force: true }));

describe('exportCore', () => {
  async function* weights(fails = false): AsyncIterable<HostTensor> {
    yield { name: 'a', shape: [1], data: Float32Array.of(1) };
    if (fails) throw new Error('no more');
    yield { name: 'b', shape: [1], data: Float32Array.of(2) };
  }
  const versionOf = async (folder: string) => JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')).version;

  it('writes a folder whole or not at all, in the place of what was there', async () => {
    const folder = join(root, 'model');
    await exportCore(folder, { config: { version: 1 }, weights: weights(), tokenizerJson: '{}' });
    expect((await readdir(folder)).sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    const broken = exportCore(folder, { config: { version: 2 }, weights: weights(true) });
    await expect(broken).rejects.toThrow(CheckpointError);
    expect(await versionOf(folder)).toBe(1);
    await exportCore(folder, { config: { version: 3 }, weights: weights() });
    expect((await readdir(folder)).sort()).toEqual(['config.json', 'model.safetensors']);
    expect(await versionOf(folder)).toBe(3);
    expect(await readdir(root)).toEqual(['model']);
  });

  it('finds again what a killed export had put aside, and removes what it had not finished', async () => {
    const folder = join(root, 'model');
    await rename(folder, `${folder}.999.old`);
    await mkdir(`${folder}.999.tmp`);
    await expect(exportCore(folder, { config: {}, weights: weights(true) })).rejects.toThrow(/no more/);
    expect(await versionOf(folder)).toBe(3);
    expect(await readdir(root)).toEqual(['model']);
  });
});

describe('configJson', () => {
  it('writes floats as floats, since transformers refuses integers there, and leaves the rest alone', () => {
    const text = configJson({
      v_dim_factor: 1,
      gate_soft_cap: 15,
      norm_eps: 1e-6,
      num_heads: 4,
      qk_dim_factor: 0.5,
      eps: 0,
    });
    expect(text).toContain('"v_dim_factor": 1.0,');
    expect(text).toContain('"gate_soft_cap": 15.0,');
    expect(text).toContain('"num_heads": 4,');
    expect(text).toContain('"qk_dim_factor": 0.5,');
    expect(text).toContain('"eps": 0.0\n');
    expect(JSON.parse(text)).toEqual({
      v_dim_factor: 1,
      gate_soft_cap: 15,
      norm_eps: 1e-6,
      num_heads: 4,
      qk_dim_factor: 0.5,
      eps: 0,
    });
  });
});
