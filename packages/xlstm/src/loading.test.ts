import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { createCpuDevice, createWebGpuDevice, OutOfMemoryError } from '@xlstm/device';
import { openCheckpoint } from '@xlstm/loaders';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromPretrained } from './from-pretrained.ts';
import { SEVEN_B, type SparseCheckpoint, whyNotSparse, writeSparseCheckpoint } from './testing/sparse-checkpoint.ts';

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

const folder7B = mkdtempSync(join(tmpdir(), 'xlstm-7b-'));
afterAll(() => rmSync(folder7B, { recursive: true, force: true }));
const SHARDS = 6;
const notSparse = whyNotSparse(folder7B, 6 * 2 ** 30);
const written7B = notSparse === undefined ? writeSparseCheckpoint(folder7B, SEVEN_B, 'F32', SHARDS) : undefined;

describe.skipIf(!written7B)(`27.5 GB of 7B-shaped float32${notSparse ? ` (${notSparse})` : ''}`, () => {
  it('is opened, planned and read as bf16, a block and the head, in memory that is a hundredth of it', async () => {
    expect(written7B!.totalBytes).toBe(4 * 6_865_424_896);
    // The built packages in a process of their own: here, vitest would be measured too.
    const built = (name: string) => JSON.stringify(resolve(import.meta.dirname, `../../${name}/dist/index.js`));
    const script = `
      import { openCheckpoint, streamTensor } from ${built('loaders')};
      import { parseConfig, planParameters } from ${built('xlstm-large')};
      const checkpoint = await openCheckpoint(${JSON.stringify(folder7B)});
      const config = parseConfig(checkpoint.config, checkpoint.configFormat);
      const { table } = planParameters(config, (name) => checkpoint.tensors.get(name)?.shape);
      const sources = new Set([...checkpoint.tensors.values()].map(({ source }) => source));
      const headers = [...sources].reduce((sum, { bytesRead }) => sum + bytesRead, 0);
      let elements = 0, nonZero = 0;
      for (const { name } of table.tensors) {
        if (!name.includes('.blocks.0.') && !name.includes('head')) continue;
        for await (const { data } of streamTensor(checkpoint.tensors.get(name), 'bf16')) {
          elements += data.length;
          if (data[0] !== 0 || data.at(-1) !== 0) nonZero++;
        }
      }
      const read = [...sources].reduce((sum, { bytesRead }) => sum + bytesRead, 0) - headers;
      await checkpoint.close();
      const peak = process.resourceUsage().maxRSS * 1024;
      console.log(JSON.stringify({ shards: sources.size, tensors: table.tensors.length, headers, elements, nonZero, read, peak }));
    `;
    const start = performance.now();
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    const told = JSON.parse(stdout) as Record<string, number>;
    // One block has 201 million parameters, the head 206 million.
    expect(told).toMatchObject({ shards: SHARDS, nonZero: 0 });
    expect(told.tensors).toBeGreaterThan(400);
    expect(told.elements).toBeGreaterThan(4.0e8);
    expect(told.read).toBe(4 * told.elements!);
    expect(told.headers).toBeLessThan(MEBIBYTE);
    expect(told.peak).toBeLessThan(written7B!.totalBytes / 100);
    console.info(
      `7B: peak ${(told.peak! / MEBIBYTE).toFixed(0)} MiB for ${(told.read! / MEBIBYTE).toFixed(0)} of ${(written7B!.totalBytes / MEBIBYTE).toFixed(0)} MiB read, ${((performance.now() - start) / 1e3).toFixed(1)} s`,
    );
  });
});

await describeDevices('an adapter too small for the model', () => {
  it.skipIf(!written7B)('is told with the numbers, before its weights are read', async () => {
    const checkpoint = await openCheckpoint(folder7B);
    const sources = new Set([...checkpoint.tensors.values()].map(({ source }) => source));
    const bytesRead = () => [...sources].reduce((sum, { bytesRead }) => sum + bytesRead, 0);
    const headers = bytesRead();
    // Matrices are split by rows: what must be whole is the memory of a block and a row.
    for (const [most, message] of [
      [
        4 * MEBIBYTE,
        /the memory of a block, 8 heads of 256 x 512 in float32, needs 4202528 bytes in one piece, .* binds at most 4194304; use another device$/,
      ],
      [
        8192,
        /parameter embedding \[50304,4096\] cannot be split by rows into parts that .* binds, which are at most 8192 bytes: .* need 16384 bytes in fp32/,
      ],
    ] as const) {
      const device = await createWebGpuDevice({ limits: { maxStorageBufferBindingSize: most, maxBufferSize: most } });
      const loading = fromPretrained(checkpoint, { device, dtype: 'fp32' });
      await expect(loading).rejects.toThrow(OutOfMemoryError);
      await expect(loading).rejects.toThrow(message);
      expect(device.liveBuffers().count).toBe(0);
      device.dispose();
    }
    expect(bytesRead()).toBe(headers);
    await checkpoint.close();
  });
}, ['webgpu']);
