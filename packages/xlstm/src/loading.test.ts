import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { createCpuDevice, OutOfMemoryError } from '@xlstm/device';
import { openCheckpoint } from '@xlstm/loaders';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromPretrained } from './from-pretrained.ts';
import { type SparseCheckpoint, writeSparseCheckpoint } from './testing/sparse-checkpoint.ts';

const STORIES = resolve(import.meta.dirname, '../../../apps/cli/models/stories');
const MEBIBYTE = 2 ** 20;

describe('loading', () => {
  it('reads every byte of every file once', async () => {
    const checkpoint = await openCheckpoint(STORIES);
    const sources = new Set([...checkpoint.tensors.values()].map(({ source }) => source));
    const model = await fromPretrained(checkpoint, { device: createCpuDevice(), dtype: 'fp32' });
    expect(sources.size).toBe(3);
    for (const source of sources) expect(source.bytesRead).toBe(source.size);
    await model.dispose();
    await checkpoint.close();
  });
});

describe('a model larger than the memory of this machine', () => {
  const folder = mkdtempSync(join(tmpdir(), 'xlstm-larger-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is refused before its weights are read, with the dtype that would do', async () => {
    // 4096 wide, a block has 200 million parameters: 0.8 GB in float32.
    const blocks = Math.ceil((1.2 * createCpuDevice().memoryBytes!) / 0.8e9);
    const config = { model_type: 'xlstm', hidden_size: 4096, num_heads: 8, num_hidden_layers: blocks, vocab_size: 256 };
    writeSparseCheckpoint(folder, { ...config, bos_token_id: 0, eos_token_id: 2 }, 'F32');
    const checkpoint = await openCheckpoint(folder);
    const sources = new Set([...checkpoint.tensors.values()].map(({ source }) => source));
    const headers = [...sources].reduce((sum, { bytesRead }) => sum + bytesRead, 0);
    const loading = fromPretrained(checkpoint, { device: 'cpu' });
    await expect(loading).rejects.toThrow(OutOfMemoryError);
    await expect(loading).rejects.toThrow(/needs \d+ bytes in fp32 .* CPU has \d+ in all; dtype bf16 needs \d+$/);
    expect([...sources].reduce((sum, { bytesRead }) => sum + bytesRead, 0)).toBe(headers);
    await checkpoint.close();
  });
});

describe('peak memory of loading 0.5 GB of float32 weights in a process of its own', () => {
  const folder = mkdtempSync(join(tmpdir(), 'xlstm-sparse-'));
  let written: SparseCheckpoint;
  beforeAll(() => {
    const config = { model_type: 'xlstm', hidden_size: 1024, num_heads: 4, num_hidden_layers: 8, vocab_size: 16384 };
    written = writeSparseCheckpoint(folder, { ...config, bos_token_id: 0, eos_token_id: 2 }, 'F32');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['fp32', 1],
    ['bf16', 0.5],
    ['fp16', 0.5],
  ] as const)('stays below weights + largest tensor + 200 MB in %s', async (dtype, share) => {
    // The built package in a process of its own, as users run it: here, vitest would be measured too.
    const script = `
      import { fromPretrained } from ${JSON.stringify(resolve(import.meta.dirname, '../dist/index.js'))};
      const model = await fromPretrained(${JSON.stringify(folder)}, { device: 'cpu', dtype: ${JSON.stringify(dtype)} });
      console.log(JSON.stringify({ peak: process.resourceUsage().maxRSS * 1024, live: model.device.liveBuffers().bytes }));
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    const { peak, live } = JSON.parse(stdout) as { peak: number; live: number };
    const weights = written.totalBytes * share;
    expect(live).toBeGreaterThanOrEqual(weights);
    expect(live).toBeLessThan(weights + 4 * MEBIBYTE);
    expect(peak).toBeLessThan(weights + written.largestTensorBytes + 200 * MEBIBYTE);
    console.info(
      `${dtype}: peak ${(peak / MEBIBYTE).toFixed(0)} MiB for ${(weights / MEBIBYTE).toFixed(0)} MiB of weights (file ${(written.totalBytes / MEBIBYTE).toFixed(0)} MiB)`,
    );
  });
});
